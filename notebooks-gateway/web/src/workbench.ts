// The workbench comes to life: each question gets an editor with completion and a verdict while it is written, answers
// arrive without loading the page, and what is written is kept when the typing rests.

import { Asker } from "./ask";
import { Editor } from "./editor";
import { Outcome } from "./outcome";
import { Verdicts } from "./verdict";
import type { Vocabulary } from "./vocabulary";
import { t } from "./words";

/** How long typing must rest before the text is kept, in milliseconds. */
const REST = 1500;

let vocabulary: Vocabulary | undefined;

interface Done {
  run: number | null;
  notice: string | null;
}

class Cell {
  private readonly editor: Editor;
  private readonly outcome: Outcome;
  private readonly button: HTMLButtonElement | null;
  private timer: number | undefined;

  constructor(
    private readonly asker: Asker,
    private readonly notebook: string,
    private readonly id: string,
    section: HTMLElement,
    area: HTMLTextAreaElement,
    private readonly isOwn: boolean,
  ) {
    const label = section.querySelector("label")?.textContent ?? "SQL";
    this.editor = new Editor(area, label, () => vocabulary, { change: () => this.changed(), run: () => void this.run() });
    const live = section.querySelector<HTMLElement>(".live") ?? document.createElement("div");
    this.verdicts = new Verdicts(asker, this.editor, live);
    this.button = section.querySelector<HTMLButtonElement>("button[value=run]");
    const place = section.querySelector<HTMLElement>(".outcome") ?? document.createElement("div");
    this.outcome = new Outcome(asker, place, () => this.rest());
    this.place = place;
    section.querySelector("form")?.addEventListener("submit", (event) => this.submitted(event));
    void this.verdicts.now();
  }

  private readonly verdicts: Verdicts;
  private readonly place: HTMLElement;

  private changed(): void {
    this.verdicts.soon();
    window.clearTimeout(this.timer);
    if (this.isOwn) {
      this.timer = window.setTimeout(() => void this.act("keep"), REST);
    }
  }

  private submitted(event: SubmitEvent): void {
    const what = (event.submitter as HTMLButtonElement | null)?.value;
    if (what === "run") {
      event.preventDefault();
      void this.run();
    } else if (what === "check") {
      event.preventDefault();
      void this.verdicts.now();
    }
    window.clearTimeout(this.timer);
  }

  private async act(what: string): Promise<Done | undefined> {
    const fields = { what, notebook: this.notebook, cell: this.id, text: this.editor.text };
    const response = await this.asker.post("/workbench", fields);
    return response.ok || response.status === 409 ? ((await response.json()) as Done) : undefined;
  }

  private async run(): Promise<void> {
    if (this.button?.disabled) {
      return;
    }
    window.clearTimeout(this.timer);
    this.busy(true);
    const waiting = document.createElement("p");
    waiting.className = "notice running";
    waiting.textContent = t("問うています…", "Asking…");
    this.place.replaceChildren(waiting);
    const done = await this.act("run").catch(() => undefined);
    if (done?.run) {
      await this.outcome.watch(done.run);
      return;
    }
    waiting.className = "notice bad";
    waiting.textContent =
      done?.notice === "early"
        ? t("前の問いがまだ実行中です。終わってから、もう一度押してください。", "A question is still running. Please press again when it has ended.")
        : t("送れませんでした。書いた文は残っています。", "This could not be sent. Your text is kept.");
    this.rest();
  }

  private rest(): void {
    this.busy(false);
  }

  private busy(isBusy: boolean): void {
    if (this.button) {
      this.button.disabled = isBusy;
    }
  }
}

function begin(): void {
  const desk = document.querySelector<HTMLElement>(".desk");
  const { notebook, formWord } = desk?.dataset ?? {};
  if (!desk || !notebook || !formWord) {
    return;
  }
  const asker = new Asker(formWord);
  void asker.get<Vocabulary>("/workbench/vocabulary").then((found) => {
    vocabulary = found;
  });
  const isOwn = desk.querySelector("form.name input#title") !== null;
  for (const section of desk.querySelectorAll<HTMLElement>(".sql-cell")) {
    const area = section.querySelector<HTMLTextAreaElement>("textarea.sql");
    const id = section.dataset["cell"];
    if (area && id) {
      new Cell(asker, notebook, id, section, area, isOwn);
    }
  }
}

begin();
