// Walks the portal as people do, in Debian's Chromium: reads what is shown, presses what is there, measures contrast
// and names with axe, takes a picture of each page, and tells how long things took. Whatever a page reports as an
// error, and whatever the content security policy stops, ends the walk.
//
//   node journeys.mjs '{"origin": …, "modules": …, "screens": …, "people": {"researcher": ["word", …]}}'

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { board } from "./board.mjs";
import { citizen } from "./citizen.mjs";
import { researcher } from "./researcher.mjs";

const told = JSON.parse(process.argv[2]);
const require = createRequire(join(told.modules, "here.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(told.screens, { recursive: true });

/** One person's browser. */
export class Walk {
  constructor(context, page, name, hasScript) {
    Object.assign(this, { context, page, name, origin: told.origin, people: told.people, problems: [] });
    this.hasScript = hasScript;
    page.on("pageerror", (error) => this.problems.push(`${page.url()}: ${error.message}`));
    page.on("console", (message) => {
      const { url, lineNumber, columnNumber } = message.location();
      // A refused form is an answer that a page expects; the browser logs it all the same.
      const isAnswer = /status of 4\d\d/.test(message.text());
      if (message.type() === "error" && !isAnswer) {
        this.problems.push(`${page.url()}: ${message.text()} (${url}:${lineNumber}:${columnNumber})`);
      }
    });
  }

  async go(path) {
    const began = performance.now();
    const response = await this.page.goto(this.origin + path, { waitUntil: "load" });
    this.expect(response.status() < 400, `${path} answers ${response.status()}`);
    return performance.now() - began;
  }

  /** Takes a picture and holds the page against WCAG A and AA. */
  async look(name) {
    await this.page.screenshot({ path: join(told.screens, `${this.name}-${name}.png`), fullPage: true, caret: "initial" });
    // Where scripts are off, axe cannot run either; the same page was judged with them.
    const found = this.hasScript ? await this.axe() : [];
    for (const violation of found) {
      const places = violation.nodes.map((node) => `${node.target.flat().join(" ")} (${node.failureSummary ?? ""})`);
      this.problems.push(`${this.name} ${name}: ${violation.id}: ${places.slice(0, 3).join("; ")}`);
    }
  }

  /** axe runs in a world of its own, so that the page's policy stays as strict as it is. */
  async axe() {
    const session = await this.context.newCDPSession(this.page);
    const { frameTree } = await session.send("Page.getFrameTree");
    const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
    await session.send("Runtime.evaluate", { expression: axe, contextId: executionContextId });
    const run = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }).then((found) =>
      JSON.stringify(found.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ target, failureSummary }) => ({ target, failureSummary })) }))))`;
    const answer = await session.send("Runtime.evaluate", { expression: run, contextId: executionContextId, awaitPromise: true, returnByValue: true });
    await session.detach();
    return JSON.parse(answer.result.value);
  }

  async text(selector = "main") {
    return this.page.locator(selector).first().innerText();
  }

  async sees(words, selector = "main") {
    const text = await this.text(selector);
    this.expect(text.includes(words), `“${words}” is not on ${this.page.url()}: ${text.slice(0, 400)}`);
  }

  expect(holds, message) {
    if (!holds) {
      throw new Error(`${this.name}: ${message}`);
    }
  }
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const problems = [];

// A walk that hangs is a walk that fails.
setTimeout(() => {
  console.error(["the walk took too long", ...problems].join("\n"));
  process.exit(1);
}, 240_000).unref();

/** A person with a browser of their own. */
export async function person(name, options, walk) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "ja-JP", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const steps = new Walk(context, page, name, options.javaScriptEnabled !== false);
  try {
    await walk(steps);
  } catch (error) {
    await page.screenshot({ path: join(told.screens, `${name}-failed.png`), fullPage: true, caret: "initial" }).catch(() => {});
    steps.problems.push(`${name}: ${error.stack}`);
  }
  problems.push(...steps.problems);
  steps.problems.forEach((problem) => console.error(problem));
  await context.close();
}

for (const journey of [researcher, board, citizen]) {
  await journey(person);
}
await browser.close();
if (problems.length > 0) {
  console.error(`${problems.length} problems`);
  process.exit(1);
}
