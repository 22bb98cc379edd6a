// Asks the server every two seconds for what is new, and not while the page is hidden. Sections that
// did not change stay, with the focus and the selection in them.
{
  const place = document.getElementById("live"), state = document.getElementById("connection");
  let seen = place.dataset.tag;
  const put = text => {
    const fresh = document.createElement("template");
    fresh.innerHTML = text;
    const sections = [...fresh.content.children];
    sections.forEach((section, number) => {
      const old = place.children[number];
      if (!old) place.append(section);
      else if (old.outerHTML !== section.outerHTML) old.replaceWith(section);
    });
    while (place.children.length > sections.length) place.lastElementChild.remove();
  };
  const say = text => {
    if (state.textContent !== text) state.textContent = text;
  };
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch("live", {headers: {"If-None-Match": seen}});
        if (answer.status === 200) {
          seen = answer.headers.get("ETag");
          put(await answer.text());
        }
        say("");
      } catch {
        say("The server has ended; the page stays as it is.");
      }
    }
    setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}
