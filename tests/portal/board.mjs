// An application on its way: the researcher hands it in, a data officer looks whether it is whole and names reviewers,
// two reviewers give their opinions without seeing the other's, the officer decides. Then the officer opens a table to
// everybody and looks at how the environment stands.

import { signIn } from "./sign-in.mjs";

const CASE = "/cases/application/heart-failure";

export async function board(person) {
  await person("applicant", {}, handsIn);
  await person("officer", {}, accepts);
  await person("reviewer", {}, (walk) => gives(walk, "reviewer"));
  await person("second-reviewer", { colorScheme: "dark", locale: "en-GB" }, (walk) => gives(walk, "reviewer-2"));
  await person("officer-decides", {}, decides);
  await person("operator", { locale: "en-GB", acceptDownloads: true }, oversees);
}

/** Opens a move's form if it is folded, fills it and makes the move. */
async function move(walk, action, fill = {}) {
  const button = walk.page.locator(`button[name=action][value="${action}"]`);
  walk.expect((await button.count()) === 1, `the move ${action} is offered on ${walk.page.url()}: ${await walk.text()}`);
  const form = walk.page.locator("form", { has: button });
  const folded = walk.page.locator("details", { has: button });
  if ((await folded.count()) > 0 && !(await folded.first().evaluate((of) => of.open))) {
    await folded.first().locator("summary").click();
  }
  for (const [name, value] of Object.entries(fill)) {
    const field = form.locator(`[name$=":${name}"]`).last();
    if ((await field.evaluate((of) => of.tagName)) === "SELECT") {
      await field.selectOption(value);
    } else {
      await field.fill(value);
    }
  }
  await button.click();
}

async function handsIn(walk) {
  await signIn(walk, "researcher");
  await walk.go("/cases");
  await walk.look("1-waiting");
  await walk.go("/cases/application");
  await walk.look("2-applications");
  await walk.page.getByRole("link", { name: /心不全|heart/ }).first().click();
  await walk.look("3-draft");
  await move(walk, "submit");
  await walk.sees("提出済");
  await walk.go("/cases/application/new");
  await walk.look("4-form");
  await walk.go("/cases/incident");
  await walk.look("5-incidents");
}

async function accepts(walk) {
  await signIn(walk, "officer");
  await walk.go("/");
  await walk.look("1-home");
  await walk.go(CASE);
  await walk.look("2-submitted");
  await move(walk, "accept", { reviewers: "demo-reviewer\ndemo-reviewer-2" });
  await walk.sees("審査中");
}

async function gives(walk, who) {
  await signIn(walk, who);
  await walk.go(CASE);
  await walk.look("1-review");
  await move(walk, "review", { vote: "for", comment: "公益性があり、必要最小限である。" });
  await walk.look("2-given");
}

async function decides(walk) {
  await signIn(walk, "officer");
  await walk.go(CASE);
  await walk.look("1-opinions");
  await move(walk, "approve", { days: "180" });
  await walk.sees("承認");
  await walk.look("2-approved");
  await walk.go("/open");
  await walk.page.getByText("公表された表を公開する").click();
  await walk.page.locator("#title_ja").fill("糖尿病の人数、性別");
  await walk.page.locator("#title_en").fill("Persons with diabetes by sex");
  await walk.page.locator("#table").fill(walk.people.released);
  await walk.look("3-opening");
  await walk.page.getByRole("button", { name: "公開する", exact: true }).click();
  await walk.sees("糖尿病の人数、性別");
  await walk.look("4-open");
  await walk.go("/halts");
  await walk.look("5-halts");
}

async function oversees(walk) {
  await signIn(walk, "operator");
  await walk.go("/operations");
  await walk.look("1-operations");
  await walk.page.getByRole("link", { name: "Quality report" }).first().click();
  await walk.page.locator("svg").first().waitFor();
  await walk.look("2-quality");
  await walk.page.getByRole("link", { name: /Back to operations/ }).click();
  await walk.sees("Operations");
  await walk.page.getByRole("link", { name: "Reports" }).click();
  await walk.sees("Checklist");
  await walk.look("3-period");
  const arrives = walk.page.waitForEvent("download");
  await walk.page.getByRole("link", { name: "Sealed PDF" }).click();
  const file = (await arrives).suggestedFilename();
  walk.expect(file === "misu-report.pdf", `the report comes as ${file}`);
}
