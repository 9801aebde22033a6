/* One cell of the gallery; used again for another image when it scrolls out of view. */
class Cell {
  constructor(element, gallery) {
    this.element = element;
    this.gallery = gallery;
    this.store = gallery.store;
    this.open = element.querySelector(".open");
    this.image = element.querySelector("img");
    this.broken = element.querySelector(".broken");
    this.bar = element.querySelector(".bar");
    this.checkbox = element.querySelector("input");
    this.label = element.querySelector(".label");
    this.engine = element.querySelector(".engine");
    this.file = element.querySelector(".file");
    this.open.onclick = (event) => gallery.clicked(this.index, event);
    this.checkbox.onclick = (event) => gallery.picked(this.index, this.checkbox.checked, event.shiftKey);
    onLongPress(this.open, () => this.store.toggle(this.index));
    this.image.onload = () => this.image.classList.add("ready");
    this.image.onerror = () => {
      this.broken.hidden = false;
    };
  }

  show(index) {
    this.index = index;
    this.image.removeAttribute("src");
    this.image.classList.remove("ready");
    this.broken.hidden = true;
    this.refresh();
  }

  load() {
    if (!this.image.hasAttribute("src")) this.image.src = resolveUrl(this.store.thumbnailUrl, this.index);
  }

  place(place, total, x, y) {
    this.element.style.transform = `translate(${x}px, ${y}px)`;
    this.element.setAttribute("aria-posinset", place + 1);
    this.element.setAttribute("aria-setsize", total);
  }

  refresh() {
    const { store, index } = this;
    const name = store.name(index);
    const answers = store.answers.get(index) ?? [];
    const selected = store.selected.has(index);
    const spoken = answers.map(([label, confidence, engine, model]) => `${label} ${formatConfidence(confidence)}, ${engine}, model ${model}`);
    this.element.dataset.index = index;
    this.element.classList.toggle("selected", selected);
    this.checkbox.checked = selected;
    this.checkbox.setAttribute("aria-label", `Select ${name}`);
    this.file.textContent = name.slice(name.lastIndexOf("/") + 1);
    this.image.alt = `Thumbnail of ${name}`;
    this.open.title = [name, ...spoken].join("\n");
    this.open.setAttribute("aria-label", [`Image ${index + 1}: ${name}`, ...spoken].join("; "));
    this.showLabel(answers);
    this.refreshCurrent();
  }

  showLabel(answers) {
    const [label, confidence, engine] = answers[0] ?? [];
    this.label.replaceChildren();
    this.engine.textContent = engine ?? "";
    this.bar.hidden = label === undefined;
    delete this.element.dataset.band;
    if (label === undefined) return;
    this.element.dataset.band = band(confidence);
    this.bar.style.setProperty("--share", confidence);
    this.label.append(textElement("span", "class", label), textElement("span", "confidence", formatConfidence(confidence)));
    if (differ(answers)) this.label.append(textElement("span", "differs", "≠"));
  }

  refreshCurrent() {
    const current = this.index === this.store.current;
    this.element.classList.toggle("current", current);
    if (current) this.open.setAttribute("aria-current", "true");
    else this.open.removeAttribute("aria-current");
  }
}
