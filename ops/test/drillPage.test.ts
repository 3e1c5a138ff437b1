import { expect, test } from "vitest";
import { drillPage } from "../screenshots/drillPage.ts";

test("the picture's page has a row for each drill, without the notes, and marks broken budgets", () => {
  const page = drillPage(`| drill  | failed | budget |
| ------ | ------ | ------ |
| worker | 0      | held   |
| <halt> | 2      | BROKEN |

- halt: BROKEN: 2 failed`);
  expect(page.match(/<tr>.*<\/tr>/g)).toEqual([
    "<tr><th>drill</th><th>failed</th><th>budget</th></tr>",
    '<tr><td>worker</td><td>0</td><td class="held">held</td></tr>',
    '<tr><td>&lt;halt></td><td>2</td><td class="broken">BROKEN</td></tr>',
  ]);
  expect(page).not.toContain("halt: BROKEN");
});
