/** The plot library, uPlot: its files as text for a page to contain, and its types for the script of that page. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type uPlot from "uplot";

/** A plot that is drawn. */
export type DrawnPlot = uPlot;
/** What a plot is made of. */
export type DrawnPlotOptions = uPlot.Options;
/** One series of a plot. */
export type DrawnPlotSeries = uPlot.Series;
/** Columns of numbers, x first. */
export type DrawnPlotData = uPlot.AlignedData;
/** The library as the page's script finds it. */
export type PlotLibrary = typeof uPlot;

/** What a page needs of the library. */
export interface PlotAssets {
  readonly script: string;
  readonly style: string;
}

let assets: PlotAssets | undefined;

/** Reads the library's script and style sheet, once. */
export function plotAssets(): PlotAssets {
  const { resolve } = createRequire(import.meta.url);
  assets ??= {
    script: readFileSync(resolve("uplot/dist/uPlot.iife.min.js"), "utf8"),
    style: readFileSync(resolve("uplot/dist/uPlot.min.css"), "utf8"),
  };
  return assets;
}
