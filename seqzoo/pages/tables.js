// A click on a heading sorts by it, a second click in reverse; empty cells stay at the end.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.parentElement, row = heading.parentElement;
    const place = [...row.children].indexOf(heading);
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of row.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = line => line.children[place].dataset.value.replace(/^=/, "");
    const body = heading.closest("table").tBodies[0];
    const order = (a, b) => a !== "" && b !== "" && !isNaN(a) && !isNaN(b)
      ? a - b : a.localeCompare(b);
    const lines = [...body.rows].sort((a, b) => {
      const [left, right] = [value(a), value(b)];
      if (left === "" || right === "") return (left === "") - (right === "");
      return down ? order(right, left) : order(left, right);
    });
    body.append(...lines);
  });
}
