// A drawing or table that is wider than the screen scrolls: the keyboard must reach it, and the eye
// must see that it goes on (book.css). The theme's own script gives tables their tab stops.
for (const frame of document.querySelectorAll(".drawing, .pst-scrollable-table-container")) {
  const look = () => {
    const hidden = frame.scrollWidth - frame.clientWidth;
    const scrolls = hidden > 1;
    frame.classList.toggle("scrolls", scrolls);
    frame.classList.toggle("goes-on", frame.scrollLeft < hidden - 1);
    if (!frame.matches(".drawing")) return;
    const told = { tabindex: 0, role: "group", "aria-label": "Drawing that scrolls sideways" };
    for (const [name, value] of Object.entries(told)) {
      if (scrolls) frame.setAttribute(name, value);
      else frame.removeAttribute(name);
    }
  };
  new ResizeObserver(look).observe(frame);
  frame.addEventListener("scroll", look, { passive: true });
}
