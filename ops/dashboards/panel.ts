import {
  AxisPlacement,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** The data source that the role grafana provisions. */
export const source = { type: "prometheus", uid: "halo" };

/** A panel: its queries, each with the text of its legend, and the limit above which a value is bad (below it where `low`). */
export type Panel = {
  title: string;
  unit: string;
  ask: Record<string, string>;
  about?: string;
  bad?: number[];
  low?: boolean;
  max?: number;
  log?: boolean;
  width?: number;
};

/** A dashboard: rows of panels by their titles. `of` adds choices by the labels of this job: of hosts, $host, and where it has them of apps, $app. */
export type Board = { uid: string; title: string; about: string; of?: string; rows: Record<string, Panel[]> };

function timeseries({ title, unit, ask, about, bad = [], low, max, log, width = 8 }: Panel, id: number): PanelBuilder {
  // A value takes the colour of the last step at or under it.
  const colours = ["green", ...["orange", "red"].slice(2 - bad.length)];
  const edges = low ? bad.toReversed() : bad;
  const steps = (low ? colours.toReversed() : colours).map((color, i) => ({ color, value: edges[i - 1] ?? null }));
  const builder = new PanelBuilder()
    .id(id)
    .title(title)
    .description(about ?? "")
    .datasource(source)
    .unit(unit)
    .span(width)
    .height(8)
    .fillOpacity(5)
    .axisPlacement(AxisPlacement.Auto)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .calcs(["lastNotNull", "max"]),
    )
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .targets(
      Object.entries(ask).map(([expr, legend], i) =>
        new DataqueryBuilder()
          .refId(String.fromCharCode(65 + i))
          .expr(expr)
          .legendFormat(legend)
          .range(),
      ),
    );
  if (bad.length > 0)
    builder.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.DashedAndArea));
  if (max !== undefined) builder.max(max);
  if (log) builder.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10));
  else builder.min(0);
  return builder;
}

/** Changes made on purpose, as marks in every panel: the series' value is the time. */
const marks = (name: string, kinds: string, color: string) =>
  new AnnotationQueryBuilder()
    .name(name)
    .datasource(source)
    .enable(true)
    .iconColor(color)
    .expr(`halo_event_timestamp_seconds{kind=~"${kinds}"} * 1000`)
    .useValueForTime(true)
    .titleFormat("{{kind}} {{edge}}")
    .textFormat("{{text}}")
    .step("10s");

const choices = (job?: string): [name: string, label: string][] => [
  ...(job === "service" ? ([["app", "App"]] as [string, string][]) : []),
  ...(job ? ([["host", "Host"]] as [string, string][]) : []),
];

/** Builds a dashboard as Grafana reads it; panels have the numbers of their order. */
export function dashboard({ uid, title, about, of, rows }: Board): Dashboard {
  const builder = new DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags(["halo"])
    .readonly()
    .refresh("10s")
    .time({ from: "now-30m", to: "now" })
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder("Halo")
        .type(DashboardLinkType.Dashboards)
        .tags(["halo"])
        .keepTime(true)
        .includeVars(true),
    )
    .annotation(marks("Deploys", "deploy|rollback", "purple"))
    .annotation(marks("Drills", "drill", "orange"));
  for (const [name, label] of choices(of))
    builder.withVariable(
      new QueryVariableBuilder(name)
        .label(label)
        .datasource(source)
        .query({ query: `label_values(up{job="${of}"}, ${name})`, refId: name })
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .current({ text: "All", value: "$__all" }),
    );
  let id = 0;
  for (const [row, panels] of Object.entries(rows)) {
    builder.withRow(new RowBuilder(row).id(++id));
    for (const panel of panels) builder.withPanel(timeseries(panel, ++id));
  }
  return builder.build();
}
