// What the view of log records keeps and loads.

import { useEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { param, set } from "../core/address.js";
import { get } from "../core/api.js";
import { useLoaded } from "../core/load.js";
import { range, rangeNow } from "../core/range.js";
import { filters } from "./filters.js";
import { Live } from "./live.js";
import { Records } from "./records.js";

const BUCKETS = 120, LIVE_HISTOGRAM_MS = 3000, LIVE_FIELDS_MS = 10_000;
/** How far down the list the record is looked for that was open. */
const MOST_LOOKED_THROUGH = 5000;

/** Ids of the open records; the last one is in the address, so that it is open after a reload, too. */
export function useOpened() {
  const [opened, setOpened] = useState(new Set([param("open")].filter(Boolean)));
  const change = (next) => {
    setOpened(next);
    set({ open: [...next].at(-1) ?? "" }, { replace: true });
  };
  return [opened, change];
}

/** The place of the record that keys have gone to; a key may be pressed again before the view is drawn. */
export function useActive() {
  const active = useRef(-1), [, setDrawn] = useState(-1);
  const goTo = (next) => {
    active.current = next(active.current);
    setDrawn(active.current);
  };
  return [active, goTo];
}

/** Go to the record that was open when the view was left. */
export function useFirstOpened(records, goTo) {
  const wanted = useRef(param("open")), list = records.list.value;
  useEffect(() => {
    if (!wanted.current || !list.length) return;
    const place = list.findIndex(({ id }) => id === wanted.current);
    if (place < 0 && !records.complete.value && list.length < MOST_LOOKED_THROUGH) records.older();
    else {
      wanted.current = "";
      if (place >= 0) goTo(() => place);
    }
  }, [list]);
}

/** The parameters of one search: filters and the range at this moment. They change only with it. */
export function useSearch() {
  const [again, setAgain] = useState(0);
  const key = JSON.stringify([filters.value, range.value, again]);
  const parameters = useMemo(() => [...filters.value, ...Object.entries(rangeNow())], [key]);
  return { key, parameters, repeat: () => setAgain((before) => before + 1) };
}

export function useRecords(key, parameters) {
  const records = useMemo(() => new Records(), []);
  useEffect(() => { records.start(parameters); }, [key]);
  useEffect(() => () => records.stop(), []);
  return records;
}

export function useLive(records, key, onEnd) {
  const on = param("live") === "1" && range.value.to === "now", [live, setLive] = useState(null), was = useRef(on);
  useEffect(() => {
    if (!on) {
      // The list has kept only the newest records.
      if (was.current) onEnd();
      was.current = false;
      return undefined;
    }
    was.current = true;
    const made = new Live(filters.value, (logs) => records.insert(logs));
    setLive(made);
    return () => { made.close(); setLive(null); };
  }, [on, key]);
  return live;
}

/** A number that grows while records come in live. */
function useTick(live, everyMs) {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(() => { if (!document.hidden && !live.paused.value) setTick((before) => before + 1); }, everyMs);
    return () => clearInterval(timer);
  }, [live]);
  return tick;
}

/** What the sidebar asks for: from time to time anew while records come in. */
export function useSides(key, parameters, live) {
  const tick = useTick(live, LIVE_FIELDS_MS);
  return useMemo(() => ({ version: `${key} ${tick}`, parameters: live ? [...filters.value, ...Object.entries(rangeNow())] : parameters }), [key, tick]);
}

export function useHistogram(key, live) {
  const by = param("by"), tick = useTick(live, LIVE_HISTOGRAM_MS);
  return useLoaded((signal) => get("/logs/histogram", [...filters.value, ...Object.entries(rangeNow()), ["buckets", BUCKETS], ["by", by]], signal), [key, tick, by]);
}
