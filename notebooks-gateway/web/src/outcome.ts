// The answer below a question: progress, waiting no longer, other pictures, the picture as PNG.

import type { Asker } from "./ask";
import { t } from "./words";

interface State {
  running: boolean;
  class: string;
  state: string;
  html: string;
}

/** How often to look again, in milliseconds: soon at first, then calmly. */
const LOOKS = [150, 250, 400, 700, 1000, 1500];

export class Outcome {
  private watched: number | undefined;

  constructor(
    private readonly asker: Asker,
    private readonly place: HTMLElement,
    private readonly whenDone: () => void,
  ) {
    const running = place.querySelector<HTMLElement>("[data-run]")?.dataset["run"];
    if (running) {
      void this.watch(Number(running));
    }
    this.enliven();
  }

  /** Looks until the question has ended. */
  async watch(run: number): Promise<void> {
    this.watched = run;
    for (let look = 0; this.watched === run; look += 1) {
      const state = await this.asker.get<State>(`/workbench/runs/${run}`);
      if (!state || this.watched !== run) {
        break;
      }
      // The piece comes from our own templates, which escape every text in it.
      this.place.innerHTML = state.html;
      this.enliven();
      if (!state.running) {
        break;
      }
      this.offerCancel(run);
      await new Promise((done) => window.setTimeout(done, LOOKS[Math.min(look, LOOKS.length - 1)]));
    }
    this.whenDone();
  }

  private offerCancel(run: number): void {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = t("中止する", "Stop");
    button.addEventListener("click", () => void this.asker.post(`/workbench/runs/${run}/cancel`, {}).then(() => this.watch(run)));
    this.place.querySelector(".notice")?.append(button);
  }

  /** Brings what only a script can do to life. */
  private enliven(): void {
    const link = this.place.querySelector<HTMLAnchorElement>("a.svg");
    const drawn = this.place.querySelector<HTMLElement>(".drawn");
    const png = this.place.querySelector<HTMLButtonElement>("button.png");
    if (!link || !drawn) {
      return;
    }
    const kinds = this.place.querySelector<HTMLElement>(".kinds");
    if (kinds) {
      kinds.hidden = false;
    }
    for (const button of this.place.querySelectorAll<HTMLButtonElement>(".kinds button")) {
      button.addEventListener("click", () => void this.redraw(button, link, drawn));
    }
    if (png) {
      png.hidden = false;
      png.addEventListener("click", () => void save(drawn, link.href));
    }
  }

  private async redraw(button: HTMLButtonElement, link: HTMLAnchorElement, drawn: HTMLElement): Promise<void> {
    const path = new URL(link.href);
    path.searchParams.set("kind", button.dataset["kind"] ?? "bar");
    const response = await fetch(path);
    if (response.ok) {
      drawn.innerHTML = await response.text();
      link.href = path.href;
      for (const other of this.place.querySelectorAll(".kinds button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
    }
  }
}

/** Draws the picture as a file of points, twice as fine as on the page. */
async function save(drawn: HTMLElement, address: string): Promise<void> {
  const svg = drawn.querySelector("svg");
  if (!svg) {
    return;
  }
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg.outerHTML)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  const { width, height } = svg.viewBox.baseVal;
  canvas.width = width * 2;
  canvas.height = height * 2;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const file = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (!file) {
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  const run = /runs\/(\d+)\//.exec(address)?.[1] ?? "";
  link.download = `misu-${run}.png`;
  document.body.append(link);
  link.click();
  link.remove();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
