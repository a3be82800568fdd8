// The verdict while a question is being written: asked when the typing rests, shown under the editor and in it.

import type { Asker } from "./ask";
import type { Editor } from "./editor";
import { t } from "./words";

interface Verdict {
  verdict: "vetted" | "refused" | "denied";
  rule: string | null;
  message: string | null;
  span: [number, number] | null;
  suggestion: string | null;
  people_first: boolean;
  mended: string | null;
  tables: string[];
  columns: string[];
  cost: { rows: string; cells: string; hidden_percent: number | null; is_within: boolean } | null;
}

/** How long typing must rest, in milliseconds. */
const REST = 250;

export class Verdicts {
  private timer: number | undefined;
  private asking: AbortController | undefined;

  constructor(
    private readonly asker: Asker,
    private readonly editor: Editor,
    private readonly place: HTMLElement,
  ) {}

  /** Asks again once the typing rests. */
  soon(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.now(), REST);
  }

  async now(): Promise<void> {
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const sql = this.editor.text;
    if (sql.trim() === "") {
      this.place.replaceChildren();
      this.editor.mark(undefined);
      return;
    }
    const began = performance.now();
    try {
      const response = await this.asker.post("/workbench/check", { sql }, asking.signal);
      if (!response.ok) {
        throw new Error(String(response.status));
      }
      const verdict = (await response.json()) as Verdict;
      performance.measure("misu-verdict", { start: began });
      if (sql === this.editor.text) {
        this.show(verdict);
      }
    } catch (error) {
      if (!asking.signal.aborted) {
        this.place.className = "live failed";
        this.place.textContent = t("いま判定を取得できません。書いた文は残っています。", "No verdict can be had right now. Your text is kept.");
      }
    }
  }

  private show(verdict: Verdict): void {
    this.place.className = `live ${verdict.verdict}`;
    this.place.replaceChildren(...this.lines(verdict));
    const [from, to] = verdict.span ?? [0, 0];
    this.editor.mark(verdict.span && verdict.verdict !== "vetted" ? { from, to, message: verdict.message ?? "" } : undefined);
  }

  private lines(verdict: Verdict): Node[] {
    const head = element("b", heading(verdict));
    if (verdict.verdict === "vetted") {
      const lines: Node[] = [head, element("span", cost(verdict), "cost")];
      return verdict.people_first ? [...lines, ...first(verdict)] : lines;
    }
    const lines: Node[] = [head, document.createTextNode(verdict.message ?? "")];
    const offer = element("div", "", "offer");
    if (verdict.suggestion) {
      offer.append(t("使える形：", "allowed: "), element("code", verdict.suggestion));
    }
    if (verdict.mended) {
      const mended = verdict.mended;
      const button = element("button", t("この形に直す", "Mend it"), "quiet");
      button.setAttribute("type", "button");
      button.addEventListener("click", () => {
        this.editor.text = mended;
      });
      offer.append(button);
    }
    return offer.hasChildNodes() ? [...lines, offer] : lines;
  }
}

/** Why people look at the answer first, and what goes out without them. */
function first(verdict: Verdict): Node[] {
  const why = element("div", "", "offer first");
  why.append(document.createTextNode(verdict.message ?? ""));
  if (verdict.suggestion) {
    why.append(t("　審査なしで出る形：", " Without people: "), element("code", verdict.suggestion));
  }
  return [why];
}

function heading(verdict: Verdict): string {
  switch (verdict.verdict) {
    case "vetted":
      return verdict.people_first ? t("実行できます（提供の前に審査）", "May run; goes to people first") : t("実行できます", "May run");
    case "refused":
      return t("実行できません", "Does not run");
    case "denied":
      return t("許可の範囲外です", "Not covered by the permit");
  }
}

/** The estimate, from the catalogue and the snapshot as a whole; nothing in it was measured. */
function cost(verdict: Verdict): string {
  const { cost } = verdict;
  if (!cost) {
    return "";
  }
  const hidden = cost.hidden_percent
    ? t(`、少なくとも${cost.hidden_percent}%は非表示`, `, at least ${cost.hidden_percent}% hidden`)
    : "";
  const text = t(`読む行 およそ${cost.rows}、結果 最大${cost.cells}区分`, `reads about ${cost.rows} rows, at most ${cost.cells} groups`);
  const much = cost.is_within ? "" : t("。区分が多すぎるため答えは出ません", ". Too many groups: nothing would be released");
  return text + hidden + much;
}

function element(name: string, text: string, className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}
