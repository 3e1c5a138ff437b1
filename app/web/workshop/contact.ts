// Links to a customer: a chat in WhatsApp with a message that the person can still change, a call, an e-mail.
import { h, icon } from "./dom.ts";
import { t } from "./language.ts";

/**
 * A phone number as wa.me takes it: digits with the country's prefix, 62 (Indonesia) for a number without one. Null for a number that
 * is no mobile number, such as 021 555 0101.
 */
export function whatsappNumber(phone: string): string | null {
  const dialled = dialledNumber(phone);
  if (!dialled.startsWith("+")) {
    const number = dialled.replace(/^0?(?=8)/, "62");
    return /^628\d{7,11}$/.test(number) ? number : null;
  }
  const number = dialled.slice(1);
  return (number.startsWith("62") ? /^628\d{7,11}$/ : /^[1-9]\d{7,14}$/).test(number) ? number : null;
}

/** A phone number as it is dialled: its digits, behind a + with the country's prefix. "+62 (0)812" has one zero too many. */
export function dialledNumber(phone: string): string {
  const digits = phone.replace(/\D/g, "");
  const international = phone.trim().startsWith("+") ? digits : /^00(.+)/.exec(digits)?.[1];
  return (international === undefined ? digits : `+${international}`).replace(/^(\+?62)0/, "$1");
}

/** The address of an e-mail's link. An e-mail address can have the characters ?, & and #, which would be the link's own. */
export const mailAddress = (email: string): string => `mailto:${encodeURIComponent(email).replace("%40", "@")}`;

/** The link to a chat about `message`; null without a mobile number. */
export function whatsappLink(phone: string, message: () => string): HTMLAnchorElement | null {
  const number = whatsappNumber(phone);
  if (!number) return null;
  return h(
    "a",
    {
      class: "pill",
      href: () => `https://wa.me/${number}?text=${encodeURIComponent(message())}`,
      target: "_blank",
      rel: "noopener noreferrer",
    },
    icon("chat"),
    "WhatsApp",
    h("span", { class: "unseen" }, () => ` ${t("newTab")}`),
  );
}
