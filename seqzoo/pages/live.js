// Asks the server every two seconds for what is new, and not while the page is hidden.
{
  const place = document.getElementById("live"), state = document.getElementById("connection");
  let seen = "";
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch("live", {headers: seen ? {"If-None-Match": seen} : {}});
        if (answer.status === 200) {
          seen = answer.headers.get("ETag");
          place.innerHTML = await answer.text();
        }
        state.textContent = "";
      } catch {
        state.textContent = "The server has ended; the page stays as it is.";
      }
    }
    setTimeout(look, 2000);
  };
  look();
}
