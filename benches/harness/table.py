"""Tables as text."""


def show(heading, columns, rows):
    """Prints rows of text under a heading: the first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in [columns, *rows]) for at in range(len(columns))]
    print(f"\n{heading}\n")
    for row in [columns, *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())


def megabytes(count):
    return f"{count / 1e6:,.0f}"
