// A researcher: signs in, writes a question that is refused, has it mended, runs it, looks at table and picture, takes
// them along, writes words beside it and shares the notebook. Then the same page in English by night, and without a
// script.

import { signIn } from "./sign-in.mjs";

export async function researcher(person) {
  await person("researcher", { acceptDownloads: true }, asks);
  await person("researcher-night", { colorScheme: "dark", locale: "en-GB" }, reads);
  await person("researcher-templates", {}, chooses);
  await person("researcher-plain", { javaScriptEnabled: false }, plainly);
}

const REFUSED = "SELECT p.birth_date,\n       count(DISTINCT p.person_id) AS persons\nFROM person p\nGROUP BY p.birth_date";

async function asks(walk) {
  const { page } = walk;
  await signIn(walk, "researcher");
  await walk.go("/");
  await walk.sees("ようこそ");
  await walk.look("1-home");
  await walk.go("/workbench");
  const editor = page.locator(".sql-cell .cm-content").first();
  await editor.waitFor();
  await walk.page.locator(".live.vetted").first().waitFor();
  await walk.look("2-workbench");

  // A question that is refused: underlined in place, in the reader's language, mended with one click.
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(REFUSED);
  await page.locator(".live.refused").first().waitFor();
  await page.locator(".cm-lintRange-error").first().waitFor();
  await walk.look("3-refused");
  const mend = page.getByRole("button", { name: "この形に直す" }).first();
  if (await mend.isVisible()) {
    await mend.click();
    await page.locator(".live.vetted").first().waitFor();
    await walk.look("4-mended");
  }

  // Completion from granted tables, columns and codes.
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText("SELECT p.se");
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText("SELECT count(DISTINCT p.person_id) AS persons FROM person p WHERE p.sex = '");
  await page.keyboard.press("Control+Space");
  await page.locator(".cm-tooltip-autocomplete li").first().waitFor();
  await walk.look("5-completion");
  await page.keyboard.press("Escape");

  await verdicts(walk, editor);

  // Run the first example and look at what comes back.
  await walk.page.getByRole("link", { name: "薬効群ごとの人数と点数" }).click();
  const cell = page.locator(".sql-cell").last();
  await cell.locator(".live.vetted").waitFor();
  await cell.locator(".cm-content").click();
  const began = performance.now();
  await page.keyboard.press("Control+Enter");
  await cell.locator(".result").waitFor({ timeout: 60_000 });
  console.log(`query of the drugs by class and month: ${(performance.now() - began).toFixed(0)} ms from key to picture`);
  await walk.look("6-result");
  const heat = cell.getByRole("button", { name: "ヒートマップ" });
  if (await heat.isVisible()) {
    await heat.click();
    await page.waitForTimeout(300);
    await walk.look("7-heat-map");
  }
  for (const [button, ending] of [["CSV", "csv"], ["XLSX", "xlsx"], ["SVG", "svg"], ["PNG", "png"]]) {
    const arrives = page.waitForEvent("download");
    await cell.locator(".files").getByText(button, { exact: true }).click();
    const file = (await arrives).suggestedFilename();
    walk.expect(file.endsWith(`.${ending}`), `${button} gives ${file}`);
  }

  // Words beside the question, shared with the project.
  await walk.go("/workbench");
  await page.locator(".sql-cell").last().getByRole("button", { name: "＋文章" }).click();
  const words = page.locator(".text-cell textarea").last();
  await words.fill("# 見たこと\n月ごとの差は小さい。\n- 次は年齢別に");
  await page.locator(".text-cell").last().getByRole("button", { name: "保存" }).click();
  await walk.sees("見たこと");
  await page.getByRole("button", { name: "研究課題の中で共有" }).click();
  await walk.sees("共有をやめる");
  await walk.look("8-notebook");
}

/** How long a verdict takes, as the script itself measured it. */
async function verdicts(walk, editor) {
  const { page } = walk;
  await page.evaluate(() => performance.clearMeasures("misu-verdict"));
  for (let at = 0; at < 25; at += 1) {
    await editor.click();
    await page.keyboard.press("Control+A");
    await page.keyboard.insertText(`SELECT p.sex, count(DISTINCT p.person_id) AS n${at}\nFROM person p JOIN ndb_diagnosis d ON d.person_id = p.person_id\nWHERE d.icd10 LIKE 'E1${at % 5}%'\nGROUP BY p.sex`);
    await page.waitForFunction((count) => performance.getEntriesByName("misu-verdict").length > count, at);
  }
  const times = await page.evaluate(() => performance.getEntriesByName("misu-verdict").map((of) => of.duration));
  times.sort((one, other) => one - other);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(0);
  console.log(`verdict: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms over ${times.length}, as the page waits for it`);
}

async function reads(walk) {
  await signIn(walk, "researcher");
  await walk.go("/workbench");
  await walk.page.locator(".sql-cell .cm-content").first().waitFor();
  await walk.page.locator(".live.vetted, .live.refused").first().waitFor();
  await walk.sees("Example questions");
  await walk.look("1-workbench");
}

/** A question that the board approved: its values are a form, and its answer stands below. */
async function chooses(walk) {
  const { page } = walk;
  await signIn(walk, "researcher");
  await walk.go("/workbench");
  await page.getByRole("link", { name: "値を選んで実行する" }).click();
  await walk.sees("都道府県別の受診者");
  await walk.look("1-templates");
  await page.locator("input[name=p-diseases]").fill("9990010");
  await page.getByRole("button", { name: "実行" }).first().click();
  await page.locator(".template .result, .template .notice").first().waitFor({ timeout: 60_000 });
  await walk.look("2-answer");
  walk.expect((await page.locator("input[name=p-diseases]").inputValue()) === "9990010", "the form forgets its value");
  await page.locator("input[name=p-diseases]").fill("nothing");
  await page.getByRole("button", { name: "実行" }).first().click();
  await page.locator(".template .verdict.refused").waitFor({ timeout: 60_000 });
  await walk.look("3-outside");

  // A whole word closes the list of words, so that the verdict can be read.
  await walk.go("/workbench");
  const editor = page.locator(".sql-cell .cm-content").first();
  await editor.click();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("SELECT p.sex", { delay: 40 });
  await page.waitForTimeout(400);
  walk.expect((await page.locator(".cm-tooltip-autocomplete").count()) === 0, "a list covers the verdict of a whole word");
  // Nor does the list of half a word, in the last line of a question.
  await page.keyboard.type(" FROM pers", { delay: 40 });
  const list = page.locator(".cm-tooltip-autocomplete").first();
  await list.waitFor();
  await walk.look("4-list");
  const [box, live] = [await list.boundingBox(), await page.locator(".sql-cell .live").first().boundingBox()];
  const isApart = box.y + box.height <= live.y + 1 || box.y >= live.y + live.height - 1;
  walk.expect(isApart, "the list of half a word covers the verdict");
}

/** Without a script every button is a form. */
async function plainly(walk) {
  const { page } = walk;
  await signIn(walk, "researcher");
  await walk.go("/workbench?example=length-of-stay");
  const cell = page.locator(".sql-cell").last();
  await cell.getByRole("button", { name: "実行" }).click();
  await page.locator(".sql-cell").last().locator(".result").waitFor();
  await walk.look("1-result");
  await walk.go("/workbench?distribution=person.sex");
  const question = await page.locator(".sql-cell textarea").last().inputValue();
  walk.expect(question.startsWith("SELECT sex"), question);
}
