/** Every view: its addresses, its title, its link in the header, and its module. A view is the
 * component `View` of its module; it gets the route's groups as `named`.
 */
export const VIEWS = [
  { route: /^\/$/, title: "Logs", section: "Logs", load: () => import("./logs/view.js") },
  { route: /^\/traces$/, title: "Traces", section: "Traces", load: () => import("./traces/view.js") },
  { route: /^\/traces\/([^/]+)$/, title: "Trace", section: "Traces", load: () => import("./traces/trace.js") },
  { route: /^\/services$/, title: "Services", section: "Services", load: () => import("./services/view.js") },
  { route: /^\/metric-explorer$/, title: "Metrics", section: "Metrics", load: () => import("./metrics/view.js") },
  { route: /^\/dashboards$/, title: "Dashboards", section: "Dashboards", load: () => import("./dashboards/view.js") },
  { route: /^\/dashboards\/([^/]+)$/, title: "Dashboard", section: "Dashboards", load: () => import("./dashboards/dashboard.js") },
  { route: /^\/status$/, title: "Status", section: "Status", load: () => import("./status/view.js") },
];
