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
