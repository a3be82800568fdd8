// Completion: granted tables, their columns, functions, and codes with their names inside quotes.

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";

interface Column {
  name: string;
  says: string;
  usage: string;
  codes: string | null;
}

interface Table {
  name: string;
  says: string;
  columns: Column[];
}

export interface Vocabulary {
  tables: Table[];
  functions: { call: string; says: string }[];
  codes: Record<string, [string, string][]>;
}

const KEYWORDS = [
  "SELECT", "FROM", "WHERE", "GROUP BY", "JOIN", "LEFT JOIN", "ON", "AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS NULL",
  "IS NOT NULL", "HAVING", "ORDER BY", "LIMIT", "AS", "CASE", "WHEN", "THEN", "ELSE", "END", "DISTINCT", "ROLLUP", "WITH",
];

/** Which table each alias stands for, as far as the text says it. */
export function aliases(sql: string, tables: Table[]): Map<string, Table> {
  const found = new Map<string, Table>();
  for (const [, name, alias] of sql.matchAll(/\b(?:from|join)\s+(\w+)(?:\s+(?:as\s+)?(\w+))?/gi)) {
    const table = tables.find((of) => of.name === name?.toLowerCase());
    if (table) {
      found.set(table.name, table);
      if (alias && !/^(on|where|group|join|left|inner|order|limit|having)$/i.test(alias)) {
        found.set(alias.toLowerCase(), table);
      }
    }
  }
  return found;
}

export function complete(words: () => Vocabulary | undefined) {
  return (context: CompletionContext): CompletionResult | null => {
    const vocabulary = words();
    if (!vocabulary) {
      return null;
    }
    const text = context.state.doc.toString();
    const before = text.slice(0, context.pos);
    const known = aliases(text, vocabulary.tables);
    return unlessTyped(context, codes(context, before, known, vocabulary) ?? names(context, known, vocabulary));
  };
}

/** Offers nothing once one of the words stands there already: the box would only cover the verdict below. */
function unlessTyped(context: CompletionContext, result: CompletionResult | null): CompletionResult | null {
  if (!result || context.explicit) {
    return result;
  }
  const labels = new Set(result.options.map((option) => option.label.toLowerCase()));
  const isTyped = (text: string) => labels.has(text.toLowerCase());
  if (isTyped(context.state.sliceDoc(result.from, context.pos))) {
    return null;
  }
  const isWord = result.validFor;
  // A box that is open is asked for again, and then closed, when its word is complete.
  return isWord instanceof RegExp ? { ...result, validFor: (text) => isWord.test(text) && !isTyped(text) } : result;
}

/** Codes after `column = '`, `column IN ('` or `column LIKE '`; found by their names as well. */
function codes(
  context: CompletionContext,
  before: string,
  known: Map<string, Table>,
  vocabulary: Vocabulary,
): CompletionResult | null {
  const open = /(?:(\w+)\.)?(\w+)\s*(?:=|<>|like|in\s*\((?:\s*'[^']*'\s*,)*)\s*'([^']*)$/i.exec(before);
  if (!open) {
    return null;
  }
  const [, alias, name, typed = ""] = open;
  const tables = alias ? [known.get(alias.toLowerCase())] : [...known.values()];
  const column = tables.flatMap((table) => table?.columns ?? []).find((of) => of.name === name?.toLowerCase());
  const list = column?.codes ? vocabulary.codes[column.codes] : undefined;
  if (!list) {
    return null;
  }
  const options = list
    .filter(([code, says]) => code.startsWith(typed) || says.includes(typed))
    .slice(0, 100)
    .map(([code, says]): Completion => ({ label: code, detail: says, type: "constant" }));
  return { from: context.pos - typed.length, options, filter: false };
}

function names(context: CompletionContext, known: Map<string, Table>, vocabulary: Vocabulary): CompletionResult | null {
  const word = context.matchBefore(/[\w.]*/);
  if (!word || (word.from === word.to && !context.explicit)) {
    return null;
  }
  const dot = word.text.lastIndexOf(".");
  if (dot >= 0) {
    const table = known.get(word.text.slice(0, dot).toLowerCase());
    return table ? { from: word.from + dot + 1, options: table.columns.map(column), validFor: /^\w*$/ } : null;
  }
  const columns = [...new Set(known.values())].flatMap((table) => table.columns);
  const seen = new Set<string>();
  const options: Completion[] = [
    ...columns.filter((of) => !seen.has(of.name) && seen.add(of.name)).map(column),
    ...vocabulary.tables.map((of): Completion => ({ label: of.name, detail: of.says, type: "class" })),
    ...vocabulary.functions.map((of): Completion => ({ label: of.call, detail: of.says, type: "function" })),
    ...KEYWORDS.map((label): Completion => ({ label, type: "keyword", boost: -1 })),
  ];
  return { from: word.from, options, validFor: /^\w*$/ };
}

function column(of: Column): Completion {
  return { label: of.name, detail: of.says, info: of.usage, type: "property" };
}
