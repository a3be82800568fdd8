"""Compares forms of norm/v1 with what Python's unicodedata and jaconv make of the same text.

Each line of the file has the text as written, then the forms for a kanji name, a kana name, the second key of the
kana name, and a number. Nothing of the program's tables is read here: the rules are said again in other words.
"""

import sys
import unicodedata

import jaconv

SAME = {"〜": "~", "～": "~", "‖": "|", "∥": "|", "￣": "_", "‾": "_"}
DASHES = "―—‐‑‒–−－"
OLD = str.maketrans("ヂヅヰヱヲ", "ジズイエオ")


def is_enclosed(c):
    name = unicodedata.name(c, "")
    code = ord(c)
    return (
        0x2460 <= code <= 0x24FF
        or 0x3220 <= code <= 0x32FE
        or 0x3300 <= code <= 0x33FF
        or "PARENTHESIZED IDEOGRAPH" in name
    )


def fold(text):
    text = text.strip()
    text = "".join("-" if c in DASHES else SAME.get(c, c) for c in text if not is_enclosed(c))
    # jaconv joins half-width kana and their marks by a table of its own; unicodedata does the other widths.
    return unicodedata.normalize("NFKC", jaconv.h2z(text, kana=True, ascii=False, digit=False)).strip()


def letters(text):
    return "".join(c for c in text if unicodedata.category(c)[0] in "LN" or c in "ーヽゝ々〻")


def kana(text):
    out = ""
    for c in jaconv.hira2kata(fold(text)):
        is_dash = c in "-_~" and out and ("ァ" <= out[-1] <= "ヺ" or out[-1] == "ー")
        out += "ー" if is_dash else c
    return out


def kana_variant(text):
    spelled = ""
    for c in kana(text):
        spelled += spelled[-1] if c in "々〻ゝヽ" and spelled else c
    for small, large in zip("ァィェォアイエオ", "バビベボバビベボ"):
        spelled = spelled.replace("ヴ" + small, large)
    spelled = spelled.replace("ヴ", "ブ").translate(OLD).replace("ー", "")
    return jaconv.enlarge_smallkana(spelled).translate(str.maketrans("ヵヶヮ", "カケワ"))


def main(path):
    count, wrong = 0, []
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            text, *found = line.rstrip("\n").split("\t")
            expected = [
                letters(fold(text)),
                letters(kana(text)),
                letters(kana_variant(text)),
                letters(fold(text).upper()).replace("々", "").replace("〻", ""),
            ]
            count += 1
            for what, ours, theirs in zip(("kanji", "kana", "variant", "number"), found, expected):
                if what != "number" and ours != theirs:
                    wrong.append(f"{what}: {text!r} gives {ours!r}, Python says {theirs!r}")
                if what == "number" and text.isalnum() and text.isascii() and ours != theirs:
                    wrong.append(f"number: {text!r} gives {ours!r}, Python says {theirs!r}")
    for line in wrong[:40]:
        print(line)
    print(f"{count - len(wrong)} of {count} lines agree" if wrong else f"{count} lines agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
