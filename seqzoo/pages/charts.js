// Under the pointer, a chart shows the value of every curve; the arrow keys move it too.
{
  const readings = new WeakMap();
  const point = (svg, curve, x) => {
    let best = null;
    for (const pair of curve.points) {
      if (best === null || Math.abs(pair.x - x) < Math.abs(best.x - x)) best = pair;
    }
    return best;
  };
  const number = value => Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en")
    : String(+value.toPrecision(4));
  const show = (svg, x) => {
    const {left, right, top, bottom, xmax, low, high} = svg.dataset;
    x = Math.min(Math.max(x, +left), +right);
    const cursor = svg.querySelector(".cursor");
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.removeAttribute("visibility");
    const lines = [svg.dataset.xname + " " + number((x - left) / (right - left) * xmax)];
    for (const curve of svg.querySelectorAll(".curve")) {
      const {y} = point(svg, curve, x);
      const value = +high - (y - top) / (bottom - top) * (high - low);
      lines.push(curve.dataset.label + ": " + value.toFixed(svg.dataset.decimals));
    }
    let box = readings.get(svg);
    if (!box) {
      box = document.createElement("div");
      box.className = "reading";
      box.setAttribute("role", "status");
      svg.after(box);
      readings.set(svg, box);
    }
    box.replaceChildren(...lines.map(line => {
      const row = document.createElement("div");
      row.textContent = line;
      return row;
    }));
    box.hidden = false;
    const scale = svg.clientWidth / svg.viewBox.baseVal.width;
    const beside = x * scale + 8;
    box.style.left = Math.max(0, Math.min(beside, svg.clientWidth - box.offsetWidth)) + "px";
    box.style.top = svg.offsetTop + 8 + "px";
    svg.dataset.at = x;
  };
  const hide = svg => {
    svg.querySelector(".cursor").setAttribute("visibility", "hidden");
    if (readings.has(svg)) readings.get(svg).hidden = true;
  };
  const chart = event => event.target.closest && event.target.closest("svg[data-xmax]");
  document.addEventListener("pointermove", event => {
    const svg = chart(event);
    for (const other of document.querySelectorAll("svg[data-xmax]")) {
      if (other !== svg && other !== document.activeElement) hide(other);
    }
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    show(svg, (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width);
  });
  document.addEventListener("keydown", event => {
    const svg = chart(event), step = {ArrowLeft: -6, ArrowRight: 6}[event.key];
    if (svg && event.key === "Escape") hide(svg);
    if (!svg || !step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(svg, +(svg.dataset.at || svg.dataset.right) + step);
  });
  document.addEventListener("focusout", event => {
    const svg = chart(event);
    if (svg) hide(svg);
  });
}
