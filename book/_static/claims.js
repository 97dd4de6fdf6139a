// The claims page: show the cards that a reader asks for, and hand out all comparisons as a file.
const form = document.querySelector("#claims-filter");
if (form) {
  const cards = [...document.querySelectorAll(".claim")];
  const fits = (card, { part, scale, verdict }) =>
    (!part || card.dataset.part === part) &&
    card.dataset.words.split(";").some((each) => {
      const [where, word] = each.split(":");
      return (!scale || where === scale) && (!verdict || word === verdict);
    });
  const show = () => {
    const asked = Object.fromEntries(new FormData(form));
    const any = Object.values(asked).some(Boolean);
    for (const card of cards) card.hidden = any && !fits(card, asked);
    for (const section of new Set(cards.map((card) => card.closest("section"))))
      section.hidden = cards.every((card) => card.hidden || !section.contains(card));
    const left = cards.filter((card) => !card.hidden).length;
    form.querySelector("output").textContent = `${left} of ${cards.length} claims`;
  };
  const target = () => {
    const card = cards.find((each) => `#${each.id}` === location.hash);
    if (!card) return;
    if (card.hidden) form.reset();
    show();
    card.querySelector("details")?.setAttribute("open", "");
    card.scrollIntoView();
  };
  const download = () => {
    const line = (texts) => texts.map((text) => `"${text.replaceAll('"', '""')}"`).join(",");
    const head = ["claim", "scale", "comparison", "estimate", "low", "high", "n", "wanted", "reading"];
    const lines = cards.flatMap((card) =>
      [...card.querySelectorAll("tbody tr")].map((row) =>
        line([card.id.slice(6), ...[...row.cells].map((cell) => cell.textContent.replaceAll("−", "-"))]),
      ),
    );
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([[line(head), ...lines].join("\n")], { type: "text/csv" }));
    link.download = "claims.csv";
    link.click();
  };
  form.hidden = false;
  form.addEventListener("change", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.querySelector("[data-csv]").addEventListener("click", download);
  addEventListener("hashchange", target);
  show();
  target();
}
