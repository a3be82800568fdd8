// Words of the script in the reader's language; the page says which.

const english = document.documentElement.lang === "en";

export function t(ja: string, en: string): string {
  return english ? en : ja;
}
