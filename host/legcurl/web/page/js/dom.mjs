// Building and changing elements. Every text goes in as text: a name that looks like markup is
// shown as it is written. Writes that change nothing are left out, so that a screen of sixty
// machines costs only what has changed.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: `make("button", { class: "big", onclick }, "Save", otherElement)`. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Puts other children in the place of an element's; null is left out. */
export function replace(element, ...children) {
  element.replaceChildren(...children.filter(there));
}

/** Sets an element's text, unless it is that already. */
export function say(element, text) {
  const wanted = text ?? "";
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Sets an attribute, unless it is that already; null or false removes it. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Sets a custom property that the style sheet reads. */
export function style(element, property, value) {
  if (element.style.getPropertyValue(property) !== value) element.style.setProperty(property, value);
}

/** Shows or hides an element. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else set(element, name, value);
  }
  element.append(...children.filter(there));
  return element;
}

function there(child) {
  return child !== null && child !== undefined;
}
