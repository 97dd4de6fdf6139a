// Draw the formulas that Sphinx wrote for MathJax with KaTeX.
for (const formula of document.querySelectorAll(".math")) {
  renderMathInElement(formula, {
    delimiters: [
      { left: "\\(", right: "\\)", display: false },
      { left: "\\[", right: "\\]", display: true },
      ...["equation", "align", "alignat", "gather", "multline"].flatMap((name) =>
        [name, name + "*"].map((each) => ({
          left: `\\begin{${each}}`, right: `\\end{${each}}`, display: true,
        }))),
    ],
  });
}
// A formula that is wider than a phone scrolls, so the keyboard must reach it.
for (const formula of document.querySelectorAll("div.math > span:not(.eqno)")) {
  if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
}
