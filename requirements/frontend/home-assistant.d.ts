/* What the module in custom_components/jedlix/frontend uses of Home Assistant's frontend, and of our actions. */

interface State {
  entity_id: string;
  state: string;
  attributes: Record<string, any>;
}

interface Entity {
  entity_id: string;
  device_id?: string | null;
  platform?: string;
  translation_key?: string | null;
}

interface Device {
  id: string;
  name?: string | null;
  name_by_user?: string | null;
  identifiers: [string, string][];
}

type Localize = (key: string, values?: Record<string, string | number>) => string;

interface Hass {
  states: Record<string, State>;
  entities: Record<string, Entity>;
  devices: Record<string, Device>;
  language: string;
  locale: { language: string; time_format: string; time_zone: string };
  config: { time_zone: string; components: string[] };
  localize: Localize;
  formatEntityState: (state: State) => string;
  formatEntityAttributeValue: (state: State, attribute: string) => string;
  loadBackendTranslation: (category: string, integration: string) => Promise<Localize>;
  callWS: (message: object) => Promise<any>;
  callService: (
    domain: string,
    service: string,
    data: object,
    target: object,
    notifyOnError?: boolean,
    returnResponse?: boolean,
  ) => Promise<any>;
}

/** Entity ids by "domain.translation_key". */
type Ids = Record<string, string>;

interface Car {
  id: string;
  name: string;
  /** What the ids of its statistics begin with. */
  identifier: string;
  ids: Ids;
}

/** Ids of statistics. */
interface Statistics {
  energy?: string;
  cost?: string;
  savings?: string;
}

/** One currency in the answer of jedlix.get_costs. */
interface Figures {
  currency: string | null;
  energy_kwh: number | null;
  cost: number | null;
  savings: number | null;
}

/** A session that has ended, in the answer of jedlix.get_sessions, and the device of its car. */
interface Session extends Figures {
  deviceId: string;
  started_at: string;
  ended_at: string;
  is_managed: boolean | null;
}

type Config = Record<string, any>;
