/* See docs/dashboard.md. */

const DOMAIN = "jedlix";
const CAR_CARD = "jedlix-car-card";
const SESSIONS_CARD = "jedlix-sessions-card";
const ACTIVITY_CARD = "jedlix-activity-card";
const DOCS = "https://github.com/jedlix-home-assistant/jedlix-home-assistant/blob/main/docs";
const MAX_CARDS = 6; // with more cars than these, the overview has tiles
const MAX_TILES = 60;
const SESSION_DAYS = 30;
const ACTIVITY_DAYS = 3;
const MAX_ROWS = 6;
const GRAPH_HOURS = 48;
const RETRY_AFTER = 60_000; // milliseconds
const LAG = 10_000; // of the recorder

/* cars and their entities */

/** @type {WeakMap<object, Map<string, Ids>>} */
const indexes = new WeakMap();

/**
 * Our entities by device. Hidden ones are among them: they are hidden from area pages only.
 * @param {Hass} hass
 */
const entitiesByDevice = (hass) => {
  let index = indexes.get(hass.entities);
  if (!index) {
    index = new Map();
    for (const { entity_id: id, device_id: deviceId, platform, translation_key: key } of Object.values(hass.entities)) {
      if (platform !== DOMAIN || !deviceId || !key) continue;
      const ids = index.get(deviceId) ?? {};
      const name = `${id.split(".")[0]}.${key}`;
      ids[name in ids ? `${name} ${id}` : name] = id; // several times may have one name: that of some days
      index.set(deviceId, ids);
    }
    indexes.set(hass.entities, index);
  }
  return index;
};

/** @param {Hass} hass @param {string} deviceId @returns {Ids} */
const entitiesOf = (hass, deviceId) => entitiesByDevice(hass).get(deviceId) ?? {};

/** @param {Device | undefined} device */
const nameOf = (device) => device?.name_by_user || device?.name || "";

/** @param {Ids} ids */
const isCar = (ids) => "binary_sensor.plugged_in" in ids || "calendar.sessions" in ids;

/** @param {Car} car */
const isSteered = ({ ids }) => Number("switch.boost" in ids);

/**
 * The cars: first those that Jedlix can steer, then by name; a number marks equal names.
 * @param {Hass} hass @returns {Car[]}
 */
const carsOf = (hass) => {
  const cars = [...entitiesByDevice(hass)]
    .filter(([id, ids]) => isCar(ids) && hass.devices[id])
    .map(([id, ids]) => {
      const device = hass.devices[id];
      const identifier = device.identifiers.find(([domain]) => domain === DOMAIN)?.[1] ?? "";
      return { id, ids, identifier, name: nameOf(device) };
    })
    .sort((one, other) => isSteered(other) - isSteered(one) || one.name.localeCompare(other.name, hass.language) || (one.id < other.id ? -1 : 1));
  return cars.map((car) => {
    const alike = cars.filter(({ name }) => name === car.name);
    return alike.length > 1 ? { ...car, name: `${alike.indexOf(car) + 1} · ${car.name}` } : car;
  });
};

/** The state, where it is known. @param {Hass} hass @param {string | undefined} id */
const knownState = (hass, id) => {
  const state = id ? hass.states[id] : undefined;
  return state && state.state !== "unavailable" && state.state !== "unknown" ? state : undefined;
};

/* figures and texts */

/**
 * A figure, written as Home Assistant writes the state of a sensor.
 * @param {Hass} hass @param {string} state @param {string} unit @param {string} [deviceClass]
 */
const formatFigure = (hass, state, unit, deviceClass) =>
  hass.formatEntityState({ entity_id: "sensor.figure", state, attributes: { unit_of_measurement: unit, device_class: deviceClass } });

/** @param {Hass} hass @param {number} value */
const formatEnergy = (hass, value) => formatFigure(hass, value.toFixed(1), "kWh", "energy");

/** @param {Hass} hass @param {number} value @param {string | null} currency */
const formatMoney = (hass, value, currency) => formatFigure(hass, value.toFixed(2), currency ?? "", "monetary");

/** @param {Hass} hass @param {Intl.DateTimeFormatOptions} options */
const dateFormat = ({ locale, config }, options) => {
  const { time_format: wanted } = locale;
  const hour12 = options.hour && (wanted === "12" || wanted === "24") ? { hour12: wanted === "12" } : {};
  const timeZone = locale.time_zone === "server" ? config.time_zone : undefined;
  return new Intl.DateTimeFormat(wanted === "system" ? undefined : locale.language, { ...options, ...hour12, timeZone });
};

/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: "2-digit", minute: "2-digit" };
/** @type {Intl.DateTimeFormatOptions} */
const DAY = { weekday: "short", day: "numeric", month: "short" };

/** The time of day, and the day where that is not today. @param {Hass} hass @param {string} value */
const formatMoment = (hass, value) => {
  const moment = new Date(value);
  const day = dateFormat(hass, { day: "numeric", month: "numeric", year: "numeric" });
  const isToday = day.format(moment) === day.format(new Date());
  return dateFormat(hass, isToday ? CLOCK : { weekday: "short", ...CLOCK }).format(moment);
};

/** Our texts by their keys. @param {Localize} localize @returns {Localize} */
const texts = (localize) => (key, values) => localize(`component.${DOMAIN}.common.card_${key}`, values) || "";

/* markup */

class Markup {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** @type {Record<string, string>} */
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** @param {any} value @returns {string} */
const toText = (value) => {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(toText).join("");
  if (value === undefined || value === null || value === false) return "";
  return String(value).replace(/[&<>"]/g, (character) => ESCAPES[character]);
};

/** Markup; every value is escaped. @param {TemplateStringsArray} strings @param {any[]} values */
const html = (strings, ...values) =>
  new Markup(strings.reduce((text, string, i) => text + toText(values[i - 1]) + string));

/** @param {string} text @param {number} amount */
const saved = (text, amount) => (amount < 0 ? text : html`<span class="saved">${text}</span>`);

/** @param {any[]} parts */
const joined = (parts) => parts.map((part, i) => [i ? " · " : "", part]);

/** @param {Element} one @param {Element} other */
const isAlike = (one, other) =>
  one.tagName === other.tagName && one.getAttribute("class") === other.getAttribute("class");

/**
 * Make one element like another, and keep its nodes: focus and motion stay, and a screen reader notices what changed.
 * @param {Element} element @param {Element} wanted
 */
const morph = (element, wanted) => {
  for (const { name, value } of wanted.attributes) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
  // An element of Home Assistant may have set attributes itself.
  for (const { name } of element.localName.includes("-") ? [] : [...element.attributes]) {
    if (!wanted.hasAttribute(name)) element.removeAttribute(name);
  }
  const nodes = [...element.childNodes];
  const fresh = [...wanted.childNodes];
  fresh.forEach((node, i) => {
    const old = nodes[i];
    if (!old) element.append(node);
    else if (old instanceof Element && node instanceof Element && isAlike(old, node)) morph(old, node);
    else if (old instanceof Text && node instanceof Text) old.data === node.data || (old.data = node.data);
    else old.replaceWith(node);
  });
  nodes.slice(fresh.length).forEach((node) => node.remove());
};

/* cards */

/** @param {any[]} one @param {any[]} other */
const isSame = (one, other) => one.length === other.length && one.every((item, i) => item === other[i]);

/** @param {number} days */
const daysAgo = (days) => new Date(Date.now() - days * 86_400_000).toISOString();

/** What all cards do: they render only when something that they show has changed. */
class JedlixCard extends HTMLElement {
  /** @type {Config} */ config = {};
  /** @type {Hass | undefined} */ _hass;
  /** @type {Localize} */ t = () => "";
  hasTexts = false;
  /** @type {any[]} */ shown = [];
  /** @type {any[]} */ asked = [];
  /** What was asked for last; undefined until there is an answer. @type {any} */ answer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ retry;
  failures = 0;
  language = "";

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML = `<style>${STYLE}</style><ha-card></ha-card>`;
    this.card = /** @type {Element} */ (root.lastElementChild);
    root.addEventListener("click", (event) => this.clicked(event));
  }

  /** @param {Config} config */
  setConfig(config) {
    this.config = config;
    this.update();
  }

  /** @param {Hass} hass */
  set hass(hass) {
    this._hass = hass;
    if (this.language !== hass.language) this.loadTexts(hass);
    this.update();
  }

  get hass() {
    return /** @type {Hass} */ (this._hass);
  }

  /** @param {Hass} hass */
  async loadTexts(hass) {
    this.language = hass.language;
    const localize = await hass.loadBackendTranslation("common", DOMAIN).catch(() => undefined);
    if (this.language !== hass.language) return; // another one was chosen meanwhile
    const t = localize && texts(localize);
    if (!t?.("details")) { // not there yet, also where another card has asked for them
      this.language = ""; // with the next state it is tried again
      return;
    }
    this.t = t;
    this.hasTexts = true;
    this.update(true);
  }

  update(always = false) {
    if (!this._hass || !this.hasTexts) return;
    const { locale, formatEntityState, devices } = this._hass;
    const wanted = [this.config, ...this.asksAgainFor()];
    if (this.isConnected && !isSame(wanted, this.asked)) {
      this.asked = wanted;
      this.load();
    }
    const now = [this.config, locale, formatEntityState, devices, this.answer, ...this.watched()];
    if (!always && isSame(now, this.shown)) return;
    this.shown = now;
    const template = document.createElement("template");
    template.innerHTML = this.render().text;
    morph(this.card, /** @type {Element} */ (template.content.firstElementChild));
  }

  connectedCallback() {
    this.update(true);
  }

  disconnectedCallback() {
    clearTimeout(this.retry);
    this.asked = []; // shown again, it asks again
  }

  async load() {
    clearTimeout(this.retry);
    const { asked } = this;
    const answer = await this.ask();
    if (asked !== this.asked) return; // something else is asked for by now
    this.answer = answer;
    this.failures = answer.failed ? this.failures + 1 : 0;
    // After 1, 2, 4 ... minutes: each time may cost many calls to Jedlix.
    const wait = answer.failed ? RETRY_AFTER * Math.min(2 ** (this.failures - 1), 60) : answer.again;
    if (wait) this.retry = setTimeout(() => this.load(), wait);
    this.update();
  }

  /** The devices of the configuration that are there. @returns {string[]} */
  get deviceIds() {
    return [this.config.device_id ?? []].flat().filter((id) => this.hass.devices[id]);
  }

  /** An action with an answer, for each car by itself: one that cannot be read costs only its own.
   * @param {string} action @param {object} data */
  async askForCars(action, data) {
    const answers = await Promise.allSettled(
      this.deviceIds.map((id) => this.hass.callService(DOMAIN, action, data, { device_id: [id] }, false, true)),
    );
    /** @type {[string, any][]} */
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? Object.entries(answer.value.response) : []));
    return { found, failed: answers.some(({ status }) => status === "rejected") };
  }

  /** The states of one entity of each car. @param {string} key */
  states(key) {
    return this.deviceIds.map((id) => this.hass.states[entitiesOf(this.hass, id)[key]]);
  }

  /** What is asked for beside the states. @returns {Promise<any>} */
  async ask() {
    return {};
  }

  /** The states after whose change it is asked for again. @returns {any[]} */
  asksAgainFor() {
    return this.states("sensor.last_session");
  }

  /** The states that are shown. @returns {any[]} */
  watched() {
    return [];
  }

  /** @returns {Markup} */
  render() {
    return html`<ha-card></ha-card>`;
  }

  /** @param {Event} _event */
  clicked(_event) {}

  getCardSize() {
    return 6;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, rows: "auto" };
  }
}

const STYLE = `
  :host { display: block; height: 100%; }
  ha-card { height: 100%; box-sizing: border-box; position: relative; overflow: hidden; container-type: inline-size;
    --accent: var(--disabled-color); --text: var(--primary-text-color);
    --quiet: var(--secondary-text-color); --paper: var(--card-background-color);
    --good: color-mix(in srgb, var(--success-color) 72%, var(--text)); color: var(--text); }
  ha-card.car { padding: 20px 20px 16px; display: flex; flex-direction: column; gap: 14px; justify-content: space-between; }
  ha-card.list { padding: 6px 16px; }
  ha-card[data-mood="charging"], ha-card[data-mood="complete"] { --accent: var(--success-color); }
  ha-card[data-mood="waiting"] { --accent: var(--primary-color); }
  ha-card[data-mood="boost"] { --accent: var(--orange-color); }
  ha-card[data-mood="trouble"] { --accent: var(--error-color); }
  .glow { position: absolute; inset: 0 0 auto 0; height: 60%; pointer-events: none; opacity: .13;
    background: radial-gradient(120% 90% at 85% 0%, var(--accent), transparent 70%); }
  .car > :not(.glow) { position: relative; }
  p, h2, dl, dd, ul { margin: 0; padding: 0; }
  .top { display: flex; align-items: center; gap: 8px; min-height: 26px; }
  h2 { font-size: 18px; font-weight: 500; line-height: 1.2; flex: 1; min-width: 0; overflow: hidden;
    text-overflow: ellipsis; white-space: nowrap; }
  .chip { display: inline-flex; align-items: center; gap: 4px; padding: 3px 10px 3px 7px; border-radius: 999px;
    font-size: 12px; font-weight: 500; white-space: nowrap; background: color-mix(in srgb, var(--accent) 22%, transparent); }
  .chip ha-icon { --mdc-icon-size: 16px; color: var(--accent); }
  .hero { display: flex; align-items: flex-end; justify-content: space-between; gap: 8px; min-height: 76px; }
  .details { all: unset; cursor: pointer; border-radius: 8px; }
  .level { display: block; font-size: 52px; line-height: 1; font-weight: 300; letter-spacing: -1.5px; white-space: nowrap; }
  .level small { font-size: 24px; font-weight: 400; letter-spacing: 0; margin-inline-start: 2px; color: var(--quiet); }
  .range { display: block; font-size: 13px; color: var(--quiet); margin-top: 4px; min-height: 16px; }
  svg { width: min(190px, 48cqw); height: auto; flex: none; overflow: visible; }
  .body { fill: color-mix(in srgb, var(--text) 14%, var(--paper)); }
  .glass { fill: color-mix(in srgb, var(--text) 5%, var(--paper)); }
  .tyre { fill: color-mix(in srgb, var(--text) 72%, var(--paper)); }
  .rim { fill: var(--paper); }
  .cable { fill: none; stroke: var(--accent); stroke-width: 3; stroke-linecap: round; }
  .flow { fill: none; stroke: var(--paper); stroke-width: 1.4; stroke-linecap: round; stroke-dasharray: 3 9; opacity: .9; }
  .bolt { fill: var(--accent); }
  .gauge { position: relative; height: 14px; border-radius: 7px; forced-color-adjust: none;
    background: color-mix(in srgb, var(--text) 10%, transparent); }
  .gauge:has(.label) { margin-bottom: 20px; }
  .fill, .goal { position: absolute; inset: 0 auto 0 0; border-radius: 7px; }
  .fill { background: var(--accent); min-width: 14px; transition: width .6s, background .6s; }
  .goal { background: color-mix(in srgb, var(--accent) 26%, transparent); }
  .mark { position: absolute; top: -3px; width: 2px; height: 20px; margin-left: -1px; border-radius: 1px; background: var(--text); opacity: .55; }
  .label { position: absolute; top: 19px; font-size: 12px; white-space: nowrap; color: var(--quiet); }
  .sentence { font-size: 16px; line-height: 1.35; text-wrap: balance; }
  .sentence.big { font-size: 22px; font-weight: 300; line-height: 1.25; }
  .notes, .amounts { font-size: 14px; line-height: 1.4; color: var(--quiet); margin-top: 2px; }
  .amounts b { font-weight: 500; color: var(--text); }
  .saved { color: var(--good); font-weight: 500; white-space: nowrap; }
  .buttons { display: flex; gap: 8px; }
  .toggle { flex: 1; min-width: 0; min-height: 44px; display: inline-flex; align-items: center; justify-content: center;
    gap: 8px; border: 0; border-radius: 12px; padding: 0 12px; font: inherit; font-size: 14px; font-weight: 500;
    cursor: pointer; color: inherit; background: color-mix(in srgb, var(--text) 8%, transparent); transition: background .2s; }
  .toggle ha-icon { --mdc-icon-size: 20px; flex: none; }
  .toggle span { line-height: 1.2; overflow-wrap: anywhere; }
  .toggle:hover { background: color-mix(in srgb, var(--text) 13%, transparent); }
  .toggle[aria-pressed="true"] { background: color-mix(in srgb, var(--on) 24%, transparent); }
  .toggle[aria-pressed="true"] ha-icon { color: var(--on); }
  .toggle[aria-disabled="true"] { opacity: .5; cursor: default; }
  .toggle[aria-busy="true"] { cursor: progress; opacity: .7; }
  .toggle:focus-visible, .details:focus-visible { outline: 2px solid var(--primary-color); outline-offset: 2px; }
  .boost { --on: var(--orange-color); }
  .smart_charging { --on: var(--success-color); }
  .month { display: grid; grid-template-columns: repeat(3, auto); gap: 8px; border-top: 1px solid var(--divider-color); padding-top: 12px; }
  .month div { min-width: 0; display: flex; flex-direction: column; justify-content: space-between; }
  dt { font-size: 12px; line-height: 1.3; color: var(--quiet); }
  dd { margin-top: 2px; font-size: 17px; font-weight: 500; white-space: nowrap; }
  @container (max-width: 300px) { dd { font-size: 15px; } .toggle { flex-direction: column; gap: 2px; font-size: 12px; } }
  ul { list-style: none; }
  li { display: grid; grid-template-columns: 36px 1fr auto; gap: 2px 12px; align-items: center; padding: 10px 0;
    border-bottom: 1px solid var(--divider-color); font-size: 14px; }
  li:last-child { border-bottom: 0; }
  .icon:not(:nth-last-child(3)) { grid-row: span 2; }
  .icon { width: 36px; height: 36px; border-radius: 50%; display: grid; place-items: center;
    color: var(--quiet); background: color-mix(in srgb, var(--quiet) 18%, transparent); --mdc-icon-size: 20px; }
  .icon.managed { color: var(--success-color); background: color-mix(in srgb, var(--success-color) 18%, transparent); }
  .strong { font-weight: 500; }
  .small { font-size: 12px; color: var(--quiet); min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .end { text-align: end; }
  .empty { padding: 12px 0; color: var(--quiet); }
  @media (prefers-reduced-motion: no-preference) {
    ha-card[data-charging="true"] .flow { animation: flow 1.2s linear infinite; }
    @keyframes flow { to { stroke-dashoffset: 24; } }
  }
`;

/** @param {boolean} plugged @param {boolean} charging */
const drawing = (plugged, charging) => html`
  <svg viewBox="0 0 230 92" aria-hidden="true">
    <path class="body" d="M10 64c0-10 6-14 22-17l22-5c15-17 33-25 62-25 30 0 46 8 60 25l20 4c13 3 18 9 18 18v4c0 4-2 6-6 6H16c-4 0-6-2-6-6z"/>
    <path class="glass" d="M65 42c10-12 24-18 44-18v18zM116 24c22 0 36 6 47 18h-47z"/>
    <circle class="tyre" cx="56" cy="72" r="15"/><circle class="rim" cx="56" cy="72" r="7"/>
    <circle class="tyre" cx="172" cy="72" r="15"/><circle class="rim" cx="172" cy="72" r="7"/>
    ${plugged && html`<path class="cable" d="M206 54c14 0 16 10 12 20s0 16 12 16"/>`}
    ${charging && html`<path class="flow" d="M206 54c14 0 16 10 12 20s0 16 12 16"/><path class="bolt" d="M120 46l-12 15h8l-4 12 13-16h-8z"/>`}
  </svg>`;

const CAR_FORM = [
  { name: "device_id", required: true, selector: { device: { filter: { integration: DOMAIN }, entity: { domain: "calendar" } } } },
  { name: "name", selector: { text: {} } },
  { name: "show_month", default: true, selector: { boolean: {} } },
];
const SESSIONS_FORM = [
  { name: "device_id", required: true, selector: { device: { multiple: true, filter: { integration: DOMAIN }, entity: { domain: "calendar" } } } },
  { name: "count", default: 6, selector: { number: { min: 1, max: 20, mode: "box" } } },
];

/** @param {object[]} schema */
const form = (schema) => ({
  schema,
  /** @param {{name: string}} field @param {Localize} localize */
  computeLabel: (field, localize) => texts(localize)(`field_${field.name}`) || undefined,
});

/** One car. */
class JedlixCarCard extends JedlixCard {
  /** @param {Hass} hass */
  static getStubConfig(hass) {
    return { device_id: carsOf(hass)[0]?.id ?? "", show_month: true };
  }

  static getConfigForm() {
    return form(CAR_FORM);
  }

  /** @param {string} key */
  known(key) {
    return knownState(this.hass, entitiesOf(this.hass, this.config.device_id)[key]);
  }

  /** @param {string} key */
  value(key) {
    const state = this.known(key);
    return state && Number(state.state);
  }

  watched() {
    return Object.values(entitiesOf(this.hass, this.config.device_id)).map((id) => this.hass.states[id]);
  }

  /**
   * The mood, which gives the card its colour, and the sentence.
   * @param {{level?: number, minimum?: number, kind?: string, boosted: boolean}} more @returns {[string, string]}
   */
  describe({ level, minimum, kind, boosted }) {
    const { t } = this;
    const desired = this.known("number.desired_battery_level");
    /** @param {string} key */
    const charging = (key) => (desired ? t(`${key}_to`, { level: this.hass.formatEntityState(desired) }) : t(key));
    const plugged = this.known("binary_sensor.plugged_in");
    const charge = this.known("sensor.charge_state")?.state ?? (plugged && (plugged.state === "on" ? "stopped" : "disconnected"));
    if (this.known("binary_sensor.vehicle_link")?.state === "off") return ["trouble", t("link_lost")];
    if (!charge) {
      const ids = entitiesOf(this.hass, this.config.device_id);
      const main = this.hass.states[ids["sensor.charge_state"] ?? ids["binary_sensor.plugged_in"]];
      return main?.state === "unknown" ? ["away", t("unknown")] : ["trouble", t("unreachable")];
    }
    if (charge === "charging") {
      if (boosted) return ["boost", charging("boosting")];
      if (kind !== "smart") return ["charging", t("charging")];
      const lower = this.known("number.minimum_battery_level");
      if (lower && minimum !== undefined && level !== undefined && level < minimum)
        return ["charging", t("charging_to_minimum", { level: this.hass.formatEntityState(lower) })];
      return ["charging", charging("charging_smart")];
    }
    if (charge === "complete") return ["complete", t("complete")];
    if (charge === "disconnected") return ["away", t("unplugged")];
    return ["waiting", t(kind === "smart" ? "waiting" : "plugged_in")];
  }

  /** The running or the last session: zero means not known. @param {boolean} runs */
  amounts(runs) {
    const { hass, t } = this;
    const parts = ["energy", "cost", "savings"].flatMap((key) => {
      const state = this.known(`sensor.session_${key}`);
      if (!state || !Number(state.state)) return [];
      const amount = hass.formatEntityState(state);
      return [key === "savings" ? saved(t("saved", { amount }), Number(state.state)) : html`<b>${amount}</b>`];
    });
    if (!parts.length) return undefined;
    return html`<p class="amounts">${runs ? "" : `${t("last_session")} `}${joined(parts)}</p>`;
  }

  /** @param {number} level @param {number} [minimum] @param {number} [desired] */
  gauge(level, minimum, desired) {
    const { t } = this;
    /** @param {number} value */
    const percent = (value) => formatFigure(this.hass, String(value), "%");
    const marks = [
      { at: minimum, said: "minimum", text: "mark_minimum" },
      { at: desired, said: "desired", text: "mark_desired" },
    ].flatMap(({ at, said, text }) => (at === undefined ? [] : [{ at, said: t(said, { level: percent(at) }), text: t(text, { level: percent(at) }) }]));
    const [first, second] = marks;
    const labels = first && second && second.at - first.at < 30 ? [{ at: second.at, text: `${first.text} · ${second.text}` }] : marks;
    return html`<div class="gauge" role="img" aria-label="${[percent(level), ...marks.map(({ said }) => said)].join(", ")}">
      ${desired !== undefined && html`<div class="goal" style="width:${desired}%"></div>`}
      <div class="fill" style="width:${level}%"></div>
      ${marks.map(({ at }) => html`<div class="mark" style="left:${at}%"></div>`)}
      ${labels.map(({ at, text }) => html`<div class="label" style="left:${at}%;transform:translateX(-${at}%)">${text}</div>`)}
    </div>`;
  }

  /** @param {string} key @param {string} icon @param {string} reason why it cannot be used */
  toggle(key, icon, reason) {
    const label = this.t(key);
    const id = entitiesOf(this.hass, this.config.device_id)[`switch.${key}`];
    if (!id || !this.hass.states[id]) return undefined;
    const state = this.known(`switch.${key}`);
    return html`<button class="toggle ${key}" type="button" data-toggle="${id}"
      aria-pressed="${String(state?.state === "on")}" aria-disabled="${String(!state)}" title="${state ? label : reason}">
      <ha-icon icon="${icon}"></ha-icon><span>${label}</span></button>`;
  }

  /** What this month cost by Jedlix's own list. */
  async ask() {
    if (this.config.show_month === false || !this.known("sensor.energy_this_month")) return {};
    const { found, failed } = await this.askForCars("get_costs", { period: "this_month" });
    return { costs: found.flatMap(([, { costs }]) => costs), failed };
  }

  /**
   * This month: the sensors, which follow a running session; what Jedlix lists where that is more, as in the month
   * in which the car was added.
   */
  month() {
    const { hass, t } = this;
    if (this.config.show_month === false) return undefined;
    /** @type {Figures[]} */
    const costs = this.answer?.costs ?? [];
    const listed = costs.reduce((sum, { energy_kwh: energy }) => sum + (energy ?? 0), 0);
    /** @param {"cost" | "savings"} key */
    const money = (key) =>
      costs.filter((one) => one[key]).map((one) => formatMoney(hass, one[key] ?? 0, one.currency)).join(" + ");
    const isListed = listed > (this.value("sensor.energy_this_month") ?? 0) + 0.1;
    const amounts = ["cost", "energy", "savings"].map((key) => {
      if (isListed) return key === "energy" ? formatEnergy(hass, listed) : money(key === "cost" ? "cost" : "savings");
      const state = this.known(`sensor.${key}_this_month`);
      return state && (key !== "savings" || Number(state.state)) ? hass.formatEntityState(state) : "";
    });
    if (!amounts.some(Boolean)) return undefined;
    return html`<dl class="month">${["cost", "energy", "savings"].map(
      (key, i) => amounts[i] && html`<div><dt>${t(`month_${key}`)}</dt><dd class="${key === "savings" ? "saved" : "amount"}">${amounts[i]}</dd></div>`,
    )}</dl>`;
  }

  render() {
    const { hass, config, t } = this;
    const device = hass.devices[config.device_id];
    if (!device) return html`<ha-card class="car"><p class="sentence">${t(config.device_id ? "gone" : "no_car")}</p></ha-card>`;
    const level = this.value("sensor.battery_level") ?? this.value("number.current_battery_level");
    const minimum = this.value("number.minimum_battery_level");
    const kind = this.known("sensor.session")?.state ?? (this.known("binary_sensor.smart_session")?.state === "on" ? "smart" : undefined);
    const boosted = this.known("switch.boost")?.state === "on";
    const [mood, sentence] = this.describe({ level, minimum, kind, boosted });
    const charging = this.known("sensor.charge_state")?.state === "charging";
    const plugged = charging || this.known("binary_sensor.plugged_in")?.state === "on";
    const runs = kind === "smart" || kind === "unmanaged" || (kind === undefined && plugged);
    const chip = boosted ? ["boost", "mdi:rocket-launch"] : kind === "smart" ? ["smart", "mdi:leaf"] : kind === "unmanaged" && ["unmanaged", "mdi:power-plug"];
    const range = this.known("sensor.range");
    const ready = this.known("sensor.ready_by");
    const paused = this.known("switch.smart_charging")?.state === "off";
    const resumes = paused && this.known("sensor.smart_charging_resumes_at");
    const notes = [
      ready && kind === "smart" && ["waiting", "charging", "boost"].includes(mood) && t("ready_by", { time: formatMoment(hass, ready.state) }),
      resumes && t("paused_until", { time: formatMoment(hass, resumes.state) }),
    ].filter(Boolean);
    const boost = this.toggle("boost", "mdi:rocket-launch", t("boost_needs_session"));
    const smart = this.toggle("smart_charging", paused ? "mdi:leaf-off" : "mdi:leaf", t("unreachable"));
    return html`<ha-card class="car" data-mood="${mood}" data-charging="${String(charging)}">
      <div class="glow"></div>
      <div class="top"><h2>${config.name || nameOf(device)}</h2>
        ${mood !== "trouble" && chip && html`<span class="chip"><ha-icon icon="${chip[1]}"></ha-icon>${t(`chip_${chip[0]}`)}</span>`}</div>
      <div class="hero">${level === undefined
        ? html`<div><p class="sentence big" role="status">${sentence}</p></div>`
        : html`<button class="details" type="button" title="${t("details")}"><span class="level">${Math.round(level)}<small>%</small></span>
          <span class="range">${range && hass.formatEntityState(range)}</span></button>`}
        ${drawing(plugged, charging)}</div>
      ${level !== undefined && this.gauge(level, minimum, this.value("number.desired_battery_level"))}
      <div class="numbers">${level !== undefined && html`<p class="sentence" role="status">${sentence}</p>`}
        ${notes.length > 0 && html`<p class="notes">${notes.join(" ")}</p>`}${this.amounts(runs)}</div>
      ${(boost || smart) && html`<div class="buttons">${boost}${smart}</div>`}
      ${this.month()}
    </ha-card>`;
  }

  /** @param {Event} event */
  async clicked(event) {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button) return;
    const { toggle } = button.dataset;
    if (!toggle) {
      const ids = entitiesOf(this.hass, this.config.device_id);
      const entityId = ids["sensor.battery_level"] ?? ids["number.current_battery_level"];
      this.dispatchEvent(new CustomEvent("hass-more-info", { bubbles: true, composed: true, detail: { entityId } }));
      return;
    }
    if (button.getAttribute("aria-disabled") === "true" || button.hasAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      const service = this.hass.states[toggle]?.state === "on" ? "turn_off" : "turn_on";
      await this.hass.callService("switch", service, {}, { entity_id: toggle });
    } catch {
      // Home Assistant has shown the reason.
    } finally {
      button.removeAttribute("aria-busy");
    }
  }
}

/** A row: two texts, or four in two lines. @param {string} icon @param {any[]} texts @param {string} [tone] @param {string} [label] */
const row = (icon, [first, second, third, fourth], tone = "", label = "") => html`<li>
  <span class="icon ${tone}" ${label ? html`role="img" aria-label="${label}"` : html`aria-hidden="true"`}><ha-icon icon="${icon}"></ha-icon></span>
  <span class="strong">${first}</span><span class="${third ? "strong end" : "small end"}">${second}</span>
  ${third && html`<span class="small">${third}</span><span class="small end">${fourth}</span>`}</li>`;

/** A list. @param {any[]} rows @param {any} note */
const list = (rows, note) =>
  html`<ha-card class="list">${rows.length > 0 && html`<ul>${rows}</ul>`}${note && html`<p class="empty">${note}</p>`}</ha-card>`;

/** The last sessions of one or more cars. */
class JedlixSessionsCard extends JedlixCard {
  /** @param {Hass} hass */
  static getStubConfig(hass) {
    return { device_id: carsOf(hass).slice(0, 1).map(({ id }) => id), count: MAX_ROWS };
  }

  static getConfigForm() {
    return form(SESSIONS_FORM);
  }

  async ask() {
    const { found, failed } = await this.askForCars("get_sessions", { start: daysAgo(SESSION_DAYS) });
    /** @type {Session[]} */
    const sessions = found
      .flatMap(([deviceId, { sessions: ofCar }]) => ofCar.map((/** @type {object} */ session) => ({ ...session, deviceId })))
      .filter((session) => session.started_at && session.ended_at)
      .sort((one, other) => Date.parse(other.started_at) - Date.parse(one.started_at))
      .slice(0, this.config.count ?? MAX_ROWS);
    return { sessions, failed };
  }

  render() {
    const { hass, t } = this;
    if (!this.answer) return list([], undefined);
    /** @type {{sessions: Session[], failed: boolean}} */
    const { sessions, failed } = this.answer;
    const [day, clock] = [dateFormat(hass, DAY), dateFormat(hass, CLOCK)];
    const rows = sessions.map(({ deviceId, started_at: start, ended_at: end, is_managed: managed, energy_kwh: energy, cost, savings, currency }) => {
      const [from, until] = [clock.format(new Date(start)), clock.format(new Date(end))];
      const several = this.deviceIds.length > 1;
      const amounts = [
        cost !== null && formatMoney(hass, cost, currency),
        savings ? saved(t("saved", { amount: formatMoney(hass, savings, currency) }), savings) : undefined,
      ].filter(Boolean);
      const texts = [
        `${day.format(new Date(start))}${several ? ` · ${from}` : ""}`,
        energy !== null && formatEnergy(hass, energy),
        several ? nameOf(hass.devices[deviceId]) : `${from} – ${until}`,
        joined(amounts),
      ];
      const label = managed === null ? "" : t(managed ? "chip_smart" : "chip_unmanaged");
      return row(managed ? "mdi:leaf" : "mdi:power-plug", texts, managed ? "managed" : "", label);
    });
    return list(rows, failed ? t("sessions_unreadable") : !rows.length && t("no_sessions", { days: SESSION_DAYS }));
  }
}

/** @type {Record<string, string>} */
const ICONS = {
  plugged_in: "power-plug", unplugged: "power-plug-off", charging_started: "battery-charging", charging_paused: "pause",
  charging_completed: "battery-check", session_impossible: "clock-alert", boost_started: "rocket-launch", boost_ended: "rocket",
};

/** What happened to one or more cars: each event once. */
class JedlixActivityCard extends JedlixCard {
  asksAgainFor() {
    return [...this.states("event.charging"), ...this.states("event.session")];
  }

  async ask() {
    /** @type {State[]} */
    const now = this.asksAgainFor().filter(Boolean);
    const ids = now.map((state) => state.entity_id);
    const start = daysAgo(ACTIVITY_DAYS);
    const message = { type: "history/history_during_period", start_time: start, entity_ids: ids, significant_changes_only: false };
    /** @type {Record<string, {s: string, a: Record<string, any>}[]>} */
    const found = ids.length ? await this.hass.callWS(message).catch(() => undefined) : {};
    if (!found) return { events: [], failed: true };
    // The state of an event entity is the time of its last event; after a start it is written again. The history
    // has it some seconds later.
    const events = now.flatMap((last) => {
      const states = (found[last.entity_id] ?? []).map(({ s, a }) => ({ ...last, state: s, attributes: a }));
      const shown = [...states, last].filter(({ state, attributes: { event_type: type } }) => state >= start && type);
      return [...new Map(shown.map((one) => [one.state + one.attributes.event_type, one])).values()].reverse();
    });
    events.sort((one, other) => other.state.localeCompare(one.state));
    const isFresh = Math.abs(Date.now() - Date.parse(events[0]?.state)) < LAG;
    return { events: events.slice(0, MAX_ROWS), again: isFresh && LAG };
  }

  render() {
    const { hass, t } = this;
    /** @type {State[]} */
    const events = this.answer?.events ?? [];
    const rows = events.map((event) => {
      const type = event.attributes.event_type;
      const device = hass.devices[hass.entities[event.entity_id]?.device_id ?? ""];
      const [what, when] = [hass.formatEntityAttributeValue(event, "event_type"), formatMoment(hass, event.state)];
      const several = this.deviceIds.length > 1;
      return row(`mdi:${ICONS[type] ?? "calendar-clock"}`, several ? [nameOf(device), when, what] : [what, when]);
    });
    return list(rows, this.answer && !this.answer.failed && !rows.length && t("no_activity", { days: ACTIVITY_DAYS }));
  }
}

/* the dashboard */

/* Graphs take colours as they are, without variables. */
const COLOURS = ["#4269d0", "#efb118", "#a463f2", "#6cc5b0", "#ff8ab7", "#9c6b4e"];
const GREEN = "#43a047";
const WIDE = { grid_options: { columns: "full" } };
const HALF = { grid_options: { columns: 6 } };
const GROUPS = {
  charging: { icon: "mdi:ev-station", states: ["charging"] },
  plugged_in: { icon: "mdi:power-plug", states: ["stopped", "complete"] },
  unplugged: { icon: "mdi:car-multiple", states: ["disconnected"] },
  unknown: { icon: "mdi:help-circle-outline", states: ["unknown", "unavailable"] },
};
const OWN_NAME = { name: { type: "entity" } };

/** @param {string} text @param {string} icon */
const heading = (text, icon) => ({ type: "heading", heading: text, icon, heading_style: "title" });

/** A section, unless it would have no card. @param {...any} cards */
const section = (...cards) => {
  const shown = cards.flat(2).filter(Boolean);
  return shown.some(({ type }) => type !== "heading") ? { type: "grid", cards: shown } : undefined;
};

/** As in Home Assistant: what an id is made of. @param {string} text */
const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");

/**
 * The statistics of the past sessions, by the id of the car's device.
 * @param {Hass} hass @param {Car[]} cars @returns {Promise<Record<string, Statistics>>}
 */
const statisticsOf = async (hass, cars) => {
  /** @type {{statistic_id: string, source: string}[]} */
  const all = await hass.callWS({ type: "recorder/list_statistic_ids", statistic_type: "sum" }).catch(() => []); // no recorder
  const ours = all.filter(({ source }) => source === DOMAIN).map(({ statistic_id: id }) => id);
  return Object.fromEntries(
    cars.map(({ id, identifier }) => {
      /** @param {string} figure */
      const find = (figure) => ours.find((name) => name.startsWith(`${DOMAIN}:${slug(identifier)}_session_${figure}`));
      return [id, { energy: find("energy"), cost: find("cost"), savings: find("savings") }];
    }),
  );
};

/** @param {string} deviceId */
const carCard = (deviceId) => ({ type: `custom:${CAR_CARD}`, device_id: deviceId, show_month: true });

/** @param {string | undefined} entity @param {object} [more] */
const tile = (entity, more) => entity && { type: "tile", entity, ...OWN_NAME, ...HALF, ...more };

/** The card of a car, and what can be set. @param {Car} car @param {number} hours @param {any[]} prices */
const carSection = ({ id, ids }, hours, prices) => {
  const slider = { features: [{ type: "numeric-input", style: "slider" }], features_position: "bottom" };
  const graph = [ids["sensor.battery_level"], ids["sensor.charge_state"]].filter(Boolean).map((entity) => ({ entity, ...OWN_NAME }));
  const readyBy = Object.keys(ids).filter((key) => key.startsWith("time.ready_by"));
  return section(
    carCard(id),
    tile(ids["number.desired_battery_level"], slider),
    tile(ids["number.minimum_battery_level"], slider),
    ids["sensor.battery_level"] ? undefined : tile(ids["number.current_battery_level"], slider),
    readyBy.sort().map((key) => tile(ids[key])),
    graph.length && { type: "history-graph", entities: graph, hours_to_show: hours, ...WIDE },
    prices,
  );
};

/** The views. */
class Dashboard {
  /** @param {Hass} hass @param {Localize} t @param {Car[]} cars @param {Record<string, Statistics>} statistics @param {number} [hours] */
  constructor(hass, t, cars, statistics, hours = GRAPH_HOURS) {
    this.hass = hass;
    this.t = t;
    this.cars = cars;
    this.statistics = statistics;
    this.hours = hours;
  }

  /** @param {any[]} sections @param {object} more */
  view(sections, more) {
    return { type: "sections", max_columns: 4, sections: sections.filter(Boolean), ...more };
  }

  views() {
    const { cars } = this;
    if (cars.length === 1) return [this.carView(cars[0])];
    const subview = cars.length > MAX_CARDS; // tabs would not fit
    return [this.overview(), ...cars.slice(0, MAX_TILES).map((car) => this.carView(car, { subview }))];
  }

  /** @param {Car} car @param {object} [more] */
  carView(car, more) {
    const sections = [carSection(car, this.hours, this.prices()), this.money([car]), this.sessions([car])];
    return this.view(sections, { title: car.name, path: `car-${car.id}`, ...more });
  }

  /** The overview of two cars or more. */
  overview() {
    const { cars, t } = this;
    const frame = { title: t("overview"), path: "cars", icon: "mdi:view-dashboard" };
    if (cars.length > MAX_CARDS) {
      const more = cars.length > MAX_TILES && { type: "markdown", content: t("more_cars", { count: cars.length - MAX_TILES }), ...WIDE };
      return this.view([...this.groups(), section(this.prices()), section(more)], frame);
    }
    const height = cars.length > 4 ? 3 : 2;
    const columns = Array.from({ length: Math.ceil(cars.length / height) }, (_, i) => cars.slice(i * height, (i + 1) * height));
    const cards = columns.map((column, i) => section(column.map(({ id }) => carCard(id)), i === columns.length - 1 && this.prices()));
    return this.view([...cards, this.money(cars), this.sessions(cars)], frame);
  }

  /** Cost and savings by month, and energy by day; several cars on top of each other. @param {Car[]} cars */
  money(cars) {
    const { t, statistics } = this;
    const several = cars.length > 1;
    /** @param {"energy" | "cost" | "savings"} figure @param {string} colour */
    const rows = (figure, colour) =>
      cars.flatMap(({ id, name }, i) => {
        const entity = statistics[id]?.[figure];
        return entity ? [{ entity, name: several ? name : t(figure), color: several ? COLOURS[i] : colour }] : [];
      });
    /** @param {string} title @param {object[]} entities @param {string} period @param {number} days */
    const bars = (title, entities, period, days) =>
      entities.length > 0 && {
        type: "statistics-graph", title, entities, period, days_to_show: days, stat_types: ["change"],
        chart_type: several ? "bar-stack" : "bar", hide_legend: entities.length < 2, ...WIDE,
      };
    const [cost, savings, energy] = [rows("cost", COLOURS[0]), rows("savings", GREEN), rows("energy", COLOURS[3])];
    return section(
      heading(t("money"), "mdi:piggy-bank"),
      several
        ? [bars(t("cost_per_month"), cost, "month", 365), bars(t("savings_per_month"), savings, "month", 365)]
        : bars(t("per_month"), [...cost, ...savings], "month", 365),
      bars(t("energy_per_day"), energy, "day", 30),
    );
  }

  /** @param {Car[]} cars */
  sessions(cars) {
    const { t, statistics, hass } = this;
    const ids = cars.map(({ id }) => id);
    const [hasHistory, hasRecorder] = ["history", "recorder"].map((component) => hass.config.components.includes(component));
    const isImported = ids.some((id) => Object.values(statistics[id]).some(Boolean));
    return section(
      heading(t("sessions"), "mdi:calendar-clock"),
      { type: `custom:${SESSIONS_CARD}`, device_id: ids, count: MAX_ROWS },
      hasRecorder && !isImported && { type: "markdown", text_only: true, content: `[${t("import")}](${DOCS}/dashboard.md#cost-and-savings)`, ...WIDE },
      hasHistory && [heading(t("activity"), "mdi:timeline-text"), { type: `custom:${ACTIVITY_CARD}`, device_id: ids }],
    );
  }

  /** The prices of the charging locations, where they are known and a few. */
  prices() {
    const places = [...entitiesByDevice(this.hass).values()].filter((ids) => knownState(this.hass, ids["sensor.price"]));
    if (!places.length || places.length > MAX_CARDS) return [];
    const name = places.length > 1 ? { name: [{ type: "device" }, { type: "entity" }] } : {};
    const trend = { features: [{ type: "trend-graph", hours_to_show: 24 }], features_position: "bottom", ...WIDE, ...name };
    const tiles = places.flatMap((ids) => [tile(ids["sensor.price"], trend), tile(ids["sensor.tariff_type"]), tile(knownState(this.hass, ids["sensor.next_price_change"])?.entity_id)]);
    return [heading(this.t("price"), "mdi:transmission-tower"), ...tiles];
  }

  /** Many cars: a group for each charge state. A tile leads to the view of its car. */
  groups() {
    const shown = this.cars.filter(({ ids }) => ids["sensor.charge_state"]).slice(0, MAX_TILES);
    const place = window.location.pathname.split("/")[1];
    return Object.entries(GROUPS).map(([key, { icon, states }]) => {
      /** @param {Car} car */
      const isHere = ({ ids }) => ({ condition: "state", entity: ids["sensor.charge_state"], state: states });
      const tiles = shown.map((car) => ({
        ...tile(car.ids["sensor.battery_level"] ?? car.ids["sensor.charge_state"]),
        name: car.name,
        visibility: [isHere(car)],
        tap_action: { action: "navigate", navigation_path: `/${place}/car-${car.id}` },
      }));
      const visibility = [{ condition: "or", conditions: shown.map(isHere) }];
      return { ...section(heading(this.t(`group_${key}`), icon), tiles), column_span: 4, visibility };
    });
  }
}

/** The dashboard, made when it is loaded, and when a car comes or goes. */
class JedlixDashboardStrategy extends HTMLElement {
  static registryDependencies = ["entities", "devices"];
  static noEditor = true;

  /** `hours` is how far the graph of the car goes back. @param {{hours?: number}} config @param {Hass} hass */
  static async generate({ hours }, hass) {
    const t = texts(await hass.loadBackendTranslation("common", DOMAIN));
    const cars = carsOf(hass);
    const title = t("dashboard");
    if (!cars.length) {
      const content = `## ${t("no_car")}\n\n${t("no_car_text")}\n\n[${t("set_up")}](${DOCS}/set-up.md)`;
      return { title, views: [{ title, type: "sections", sections: [section({ type: "markdown", content, ...WIDE })] }] };
    }
    return { title, views: new Dashboard(hass, t, cars, await statisticsOf(hass, cars), hours).views() };
  }

  static getCreateSuggestions() {
    return { title: "Jedlix", icon: "mdi:ev-station" };
  }
}

/* registration: while the app starts, it replaces window.customElements, and does not see what was defined before. So
   this waits for its element; where there is none, as with Cast, for a moment. */

/** @type {Record<string, CustomElementConstructor>} */
const ELEMENTS = {
  [CAR_CARD]: JedlixCarCard,
  [SESSIONS_CARD]: JedlixSessionsCard,
  [ACTIVITY_CARD]: JedlixActivityCard,
  "ll-strategy-dashboard-jedlix": JedlixDashboardStrategy,
};

Promise.race([
  window.customElements.whenDefined("home-assistant"),
  new Promise((resolve) => setTimeout(resolve, 3000)),
]).then(() => {
  const { customElements } = window;
  for (const [name, element] of Object.entries(ELEMENTS)) {
    if (!customElements.get(name)) customElements.define(name, element);
  }
});

/** @param {Hass} hass @param {string} entityId */
const getEntitySuggestion = (hass, entityId) => {
  const { platform, device_id: deviceId } = hass.entities[entityId] ?? {};
  const isOurs = platform === DOMAIN && deviceId && isCar(entitiesOf(hass, deviceId));
  return isOurs ? { config: carCard(deviceId) } : null;
};

/** A text where cards and dashboards are chosen. @param {string} key */
const offered = (key) => {
  const hass = /** @type {{hass?: Hass} | null} */ (document.querySelector("home-assistant"))?.hass;
  hass?.loadBackendTranslation("common", DOMAIN).catch(() => undefined);
  return hass ? texts(hass.localize)(key) : "";
};

const documentationURL = `${DOCS}/dashboard.md`;
const lists = /** @type {{customCards?: object[], customStrategies?: object[]}} */ (window);
(lists.customCards ??= []).push(
  {
    type: CAR_CARD, preview: true, documentationURL, getEntitySuggestion,
    get name() { return offered("name_car") || "Jedlix car"; },
    get description() { return offered("about"); },
  },
  {
    type: SESSIONS_CARD, preview: true, documentationURL,
    get name() { return offered("name_sessions") || "Jedlix sessions"; },
  },
);
(lists.customStrategies ??= []).push({
  type: DOMAIN, strategyType: "dashboard", name: "Jedlix Smart Charging", documentationURL,
  get description() { return offered("about"); },
});
