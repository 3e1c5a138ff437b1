import { describe, expect, it } from "vitest";
import { readRevenueRequest } from "../../../src/workshop/revenue.ts";
import { dialledNumber, mailAddress, whatsappNumber } from "../../../web/workshop/contact.ts";
import { dayHash, dayOf, isoDay, monday, utcOffset, weekHash } from "../../../web/workshop/days.ts";

it.each([
  ["0812-3456-7890", "6281234567890"],
  ["+62 812 3456 7890", "6281234567890"],
  ["62812 3456 7890", "6281234567890"],
  ["(0812) 3456.7890", "6281234567890"],
  ["812 3456 7890", "6281234567890"],
  ["0062 812 3456 7890", "6281234567890"],
  ["+65 9123 4567", "6591234567"],
  ["021 555 0101", null],
  ["+62 21 555 0101", null],
  ["0812", null],
  ["9123 4567", null],
  ["+62 (0)812 3456 7890", "6281234567890"],
  ["62 0812 3456 7890", "6281234567890"],
  ["++62 812 3456 7890", "6281234567890"],
  ["0000 81234567", null],
])("WhatsApp takes %s as %s", (phone, number) => expect(whatsappNumber(phone)).toBe(number));

it.each([
  ["0812-3456-7890", "081234567890"],
  ["(021) 555 0101", "0215550101"],
  ["+62 (0)812 3456 7890", "+6281234567890"],
  ["0062 812 3456 7890", "+6281234567890"],
  ["++65 9123 4567", "+6591234567"],
])("%s is dialled as %s", (phone, number) => expect(dialledNumber(phone)).toBe(number));

it.each([
  ["budi@example.com", "mailto:budi@example.com"],
  ["budi?bcc=spy@example.com", "mailto:budi%3Fbcc%3Dspy@example.com"],
  ["budi+a#b%c&d@example.com", "mailto:budi%2Ba%23b%25c%26d@example.com"],
])("an e-mail to %s goes to nobody else", (email, link) => expect(mailAddress(email)).toBe(link));

it.each(["2026-02-31", "2026-13-01", "2026-99-99", "1900-01-01", "2099-12-31", "0001-01-01", "x", ""])(
  "%j is no day of an address",
  (text) => expect(dayOf(text)).toBe(undefined),
);
it("2028-02-29 is one, from its midnight", () => expect(dayOf("2028-02-29")).toEqual(new Date(2028, 1, 29)));

describe("a week", () => {
  it.each([
    [new Date(2026, 10, 23, 0, 0), "2026-11-23"],
    [new Date(2026, 10, 29, 23, 59), "2026-11-23"],
    [new Date(2027, 0, 1, 12), "2026-12-28"],
  ])("begins on the Monday before %s", (at, day) => expect(isoDay(monday(at))).toBe(day));

  it("has an address of its own, and the present one has another", () => {
    expect([weekHash(new Date()), dayHash(new Date())]).toEqual(["#/week", "#/today"]);
    expect(weekHash(new Date(2026, 10, 5))).toBe("#/week/2026-11-05");
    expect(dayHash(new Date(2026, 10, 5, 23))).toBe("#/day/2026-11-05");
  });

  it("has days in the local time, with their distance from UTC", () => {
    const at = (minutes: number) => Object.assign(new Date(), { getTimezoneOffset: () => minutes });
    expect([at(-420), at(0), at(210), at(-345)].map(utcOffset)).toEqual(["+07:00", "+00:00", "-03:30", "+05:45"]);
  });
});

describe("a request for the revenue", () => {
  const read = (query: string) => readRevenueRequest(new URLSearchParams(query), new Date("2026-11-21T05:00:00Z"));

  it("is by default of 31 days of Jakarta until now", () => {
    expect(read("")).toEqual({ from: "2026-10-21T05:00:00.000Z", to: "2026-11-21T05:00:00.000Z", offset: "+07:00" });
    expect(read("to=2026-11-01T00:00:00%2B07:00&offset=-03:30")).toEqual({
      from: "2026-09-30T17:00:00.000Z",
      to: "2026-10-31T17:00:00.000Z",
      offset: "-03:30",
    });
  });

  it.each([
    ["from=2020-01-01T00:00:00Z", "from", "range"],
    ["from=yesterday", "from", "format"],
    ["offset=WIB", "offset", "format"],
    ["offset=%2B07:00&offset=%2B08:00", "offset", "repeated"],
    ["q=x", "q", "unknown_parameter"],
    ["constructor=x", "constructor", "unknown_parameter"],
  ])("%s is refused", (query, parameter, code) => {
    expect(() => read(query)).toThrow(
      expect.objectContaining({
        status: 400,
        extra: expect.objectContaining({ errors: [{ parameter, code, detail: expect.any(String) }] }),
      }),
    );
  });
});
