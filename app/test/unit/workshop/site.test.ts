import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CustomerPatch, LineInput, ServicePatch, VehiclePatch } from "../../../src/workshop/schema.ts";
import { money, parseKilometres, parseMoney, parseQuantity, quantity, sum } from "../../../web/workshop/language.ts";
import { words } from "../../../web/workshop/words.ts";

const folder = new URL("../../../web/workshop/", import.meta.url);
const sources = readdirSync(folder).filter((name) => /\.(ts|html)$/.test(name) && name !== "words.ts");
const text = sources.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");

test("both languages have the same words, of the same kind", () => {
  const kinds = (all: Record<string, unknown>) => Object.entries(all).map(([key, word]) => `${key}: ${typeof word}`);
  expect(kinds(words.en)).toEqual(kinds(words.id));
});

test("each text that the pages use exists, and each existing one is used", () => {
  const asked = [...text.matchAll(/\bt\("([\w.]+)"|data-t(?:-label)?="(\w+)"/g)].map((match) => match[1] ?? match[2]);
  expect(asked.length).toBeGreaterThan(50);
  expect(asked.filter((key) => !(String(key) in words.id))).toEqual([]);
  // Keys that are put together (`none_${status}`) count by how they begin.
  const begun = [...text.matchAll(/`(\w+[_.]|edit|add)\$\{/g)].map((match) => String(match[1]));
  const unused = Object.keys(words.id).filter(
    (key) => !text.includes(`"${key}"`) && !begun.some((each) => key.startsWith(each)),
  );
  expect(unused).toEqual([]);
});

test("each field that can stand in the list of changes has a name", () => {
  const fields = [CustomerPatch, VehiclePatch, ServicePatch].flatMap((schema) => Object.keys(schema.shape));
  expect(fields.filter((name) => !(`field.${name}` in words.id))).toEqual([]);
});

test.each([
  ["150000", "150000"],
  ["150.000", "150000"],
  ["150,000", "150000"],
  ["Rp 1.250.000", "1250000"],
  ["1.250.000,50", "1250000.50"],
  ["1,250,000.5", "1250000.5"],
  ["350rb", "350000"],
  ["350 ribu", "350000"],
  ["Rp. 350K", "350000"],
  ["1,5jt", "1500000"],
  ["1.5 juta", "1500000"],
  ["0,75 JT", "750000"],
  ["1.250rb", "1250000"],
  ["1.250jt", "1250000"],
  ["2,5rb", "2500"],
  ["350.000,-", "350000"],
  ["350.000,--", "350000"],
  ["350000.\u2014", "350000"],
  ["1,2345678jt", "1,2345678jt"],
  ["1.2.3jt", "1.2.3jt"],
  ["rb", "rb"],
  ["0", "0"],
  ["gratis", "gratis"],
  ["-5", "-5"],
  ["1,500,000.5", "1500000.5"],
  ["1.500.000,567", "1.500.000,567"],
  ["15.0000", "15.0000"],
  ["1.2.3", "1.2.3"],
  ["12..5", "12..5"],
  ["1.500,000", "1.500,000"],
  ["0.500", "0.500"],
])("an amount typed as %s is %s", (typed, amount) => expect(parseMoney(typed)).toBe(amount));

test.each([
  ["id", "2", "2"],
  ["id", "0,5", "0.5"],
  ["id", "1.25", "1.25"],
  ["id", ",5", "0.5"],
  ["id", ".5", "0.5"],
  ["id", "2,125", "2.125"],
  ["id", "0.125", "0.125"],
  ["id", "1.500", "1500 or 1.500"],
  ["id", "1.500,5", "1.500,5"],
  ["en", "1.500", "1.500"],
  ["en", "1,5", "1.5"],
  ["en", "1,500", "1500 or 1.500"],
  ["id", "dua", "dua"],
  ["id", "1,2,3", "1,2,3"],
] as const)("in %s a quantity typed as %s is %s", (language, typed, amount) => {
  expect(parseQuantity(typed, language)).toBe(amount);
  const refused = !LineInput.shape.quantity.safeParse(amount).success;
  expect(refused).toBe(!/^\d+(\.\d+)?$/.test(amount));
});

test.each([
  ["45000", 45000],
  ["45.000", 45000],
  ["45,000 km", 45000],
  ["125 000 KM", 125000],
  ["125.000 km", 125000],
  ["10.000.000", 10000000],
  ["0", 0],
  ["45.000,5", "45.000,5"],
  ["12,5", "12,5"],
  ["1.5", "1.5"],
  ["0.500", "0.500"],
  ["12 mil", "12 mil"],
])("an odometer typed as %s is %j", (typed, value) => expect(parseKilometres(typed)).toBe(value));

test("quantities are shown without their last zeros, and amounts are added exactly", () => {
  expect(["2.000", "2.500", "0.125", "12345.000"].map(quantity)).toEqual(["2", "2,5", "0,125", "12345"]);
  expect(sum(["0.10", "0.20", "999999999999.99"])).toBe("1000000000000.29");
  expect(sum(["0.05"])).toBe("0.05");
  expect(sum([])).toBe("0.00");
});

test("an amount is shown exactly, to the last of twelve digits", () => {
  expect(money("150000.00")).toBe("Rp\u00a0150.000");
  expect(money("999999999999.99")).toBe("Rp\u00a0999.999.999.999,99");
});
