// The editor of one question: CodeMirror in a shadow root, because a strict content security policy forbids style
// elements in the page, while a shadow root takes constructed style sheets.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, type Rect, drawSelection, highlightActiveLine, keymap, lineNumbers, tooltips } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { type Vocabulary, complete } from "./vocabulary";

const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--sheet)", fontSize: "0.93rem" },
  // The cell around the editor shows where the focus is.
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.65", minHeight: "6.5rem", padding: "0.4rem 0" },
  ".cm-content": { caretColor: "var(--ink)", padding: "0.3rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--sheet)", color: "var(--soft)", border: "none", paddingLeft: "0.4rem" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--green-pale) 45%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--bamboo) 40%, transparent)",
  },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    backgroundColor: "var(--red-pale)",
    textDecoration: "underline wavy var(--red) 1.5px",
    textUnderlineOffset: "0.28em",
  },
  ".cm-tooltip": { backgroundColor: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "4px" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16rem" },
  ".cm-tooltip-autocomplete > ul > li": { padding: "0.15rem 0.6rem", lineHeight: "1.6" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--green-pale)", color: "var(--green-deep)" },
  ".cm-completionDetail": { color: "inherit", fontStyle: "normal", fontFamily: "var(--sans)", marginLeft: "1em" },
  ".cm-tooltip.cm-completionInfo": { padding: "0.3rem 0.7rem", fontFamily: "var(--sans)" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "0.4rem 0.8rem", borderLeft: "4px solid var(--red)" },
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)", fontWeight: "600" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
]);

/**
 * Text typed over a selection is put in by us. A browser that does it itself carries the look of what was selected over
 * (a keyword's colour, say) as a style attribute, which the content security policy stops. What an input method
 * composes is left to the browser.
 */
const typedOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const text = event.data;
    const { from, to, empty } = view.state.selection.main;
    if (event.inputType !== "insertText" || event.isComposing || text === null || empty) {
      return false;
    }
    event.preventDefault();
    const insert = () =>
      view.state.update(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
    const isHandled = view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, text, insert));
    if (!isHandled) {
      view.dispatch(insert());
    }
    return true;
  },
});

/** So many pixels above a line are room enough for a list. */
const ROOM = 200;

/** Where a list may lie: not over the verdict below the editor, unless there is no room above the line either. */
function room(view: EditorView): Rect {
  const all = { top: 0, left: 0, bottom: window.innerHeight, right: window.innerWidth };
  const line = view.coordsAtPos(view.state.selection.main.head);
  if (!line || line.top < ROOM) {
    return all;
  }
  const below = Math.max(view.dom.getBoundingClientRect().bottom, line.bottom);
  return { ...all, bottom: Math.min(all.bottom, below) };
}

export interface Marked {
  from: number;
  to: number;
  message: string;
}

export class Editor {
  private readonly view: EditorView;

  constructor(
    private readonly area: HTMLTextAreaElement,
    label: string,
    words: () => Vocabulary | undefined,
    on: { change: (text: string) => void; run: () => void },
  ) {
    const host = document.createElement("div");
    area.after(host);
    area.hidden = true;
    const root = host.attachShadow({ mode: "open" });
    const extensions = [
      Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (on.run(), true) }])),
      lineNumbers(),
      history(),
      drawSelection(),
      bracketMatching(),
      closeBrackets(),
      highlightActiveLine(),
      sql({ dialect: PostgreSQL }),
      syntaxHighlighting(colours),
      tooltips({ tooltipSpace: room }),
      autocompletion({ override: [complete(words)], icons: false }),
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
      typedOver,
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) {
          area.value = update.state.doc.toString();
          on.change(area.value);
        }
      }),
      theme,
    ];
    this.view = new EditorView({ state: EditorState.create({ doc: area.value, extensions }), root, parent: root });
  }

  get text(): string {
    return this.area.value;
  }

  set text(text: string) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
    this.view.focus();
  }

  /** Underlines what a verdict points at; nothing where there is nothing. */
  mark(marked: Marked | undefined): void {
    const length = this.view.state.doc.length;
    const diagnostics: Diagnostic[] = [];
    if (marked && marked.from <= length) {
      const to = Math.min(marked.to, length);
      diagnostics.push({ from: marked.from, to, severity: "error", message: marked.message });
    }
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics));
  }
}
