"use strict";
// Numbers, times and names as a person reads them. All text reaches the page through textContent, never as HTML.

const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function scaled(value, steps) {
  const size = Math.abs(value);
  const [unit, factor] = steps.find((step) => size >= step[1]) || steps[steps.length - 1];
  const number = value / factor;
  const digits = Math.abs(number) >= 100 || Number.isInteger(number) ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return number.toLocaleString("en", { minimumFractionDigits: 0, maximumFractionDigits: digits }) + unit;
}

const BYTES = [["TB", 2 ** 40], ["GB", 2 ** 30], ["MB", 2 ** 20], ["kB", 2 ** 10], ["B", 1]];
const SPANS = [["h", 3600e9], ["min", 60e9], ["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];

function amount(value, unit) {
  if (value === null || value === undefined) return "";
  if (value < 0) return "−" + amount(-value, unit);
  if (unit === "bytes") return scaled(value, BYTES);
  if (unit === "nanoseconds") return scaled(value, SPANS);
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });
}

function change(value, unit) {
  if (!value) return "0";
  return (value > 0 ? "+" : "−") + amount(Math.abs(value), unit);
}

const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

const direction = (value) => (value > 0 ? "grown" : value < 0 ? "shrunk" : "");

function share(part, whole) {
  if (!whole) return "";
  const percent = (100 * part) / whole;
  return (Math.abs(percent) >= 10 ? percent.toFixed(0) : percent.toFixed(1)) + "%";
}

function moment(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
}

const day = (seconds) => moment(seconds).slice(0, 10);
const clock = (seconds) => moment(seconds).slice(11);

function lasted(seconds) {
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= 2 * size) return Math.round(seconds / size) + " " + unit;
  }
  return Math.round(seconds) + " s";
}

function shortPlace(place) {
  return place.split("/").slice(-2).join("/");
}

/** A name with what was searched for marked. */
function marked(text, term) {
  const at = term ? text.toLowerCase().indexOf(term) : -1;
  if (at < 0) return document.createTextNode(text);
  const rest = text.slice(at + term.length);
  return element("span", {}, text.slice(0, at), element("mark", {}, text.slice(at, at + term.length)), rest);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
