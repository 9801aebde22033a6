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
    this.file = element.querySelector(".file");
    this.open.onclick = (event) => gallery.clicked(this.index, event);
    this.checkbox.onclick = (event) => gallery.picked(this.index, this.checkbox.checked, event.shiftKey);
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
    const spoken = answers.map(([label, confidence, source]) => `${label} ${formatConfidence(confidence)}, ${source}`);
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

  showLabel([leading, ...others]) {
    this.label.replaceChildren();
    this.bar.hidden = !leading;
    if (!leading) return;
    const differs = others.some(([label]) => label !== leading[0]);
    this.bar.style.setProperty("--share", leading[1]);
    this.label.append(
      textElement("span", "class", leading[0]),
      textElement("span", "confidence", formatConfidence(leading[1])),
    );
    if (differs) this.label.append(textElement("span", "differs", "≠"));
  }

  refreshCurrent() {
    const current = this.index === this.store.current;
    this.element.classList.toggle("current", current);
    if (current) this.open.setAttribute("aria-current", "true");
    else this.open.removeAttribute("aria-current");
  }
}
