/** The part of a browser's window that the page's script uses, so that the rest of the code stays without one. No IO. */
import type { PlotLibrary } from "./uplot.ts";

/** An element of the page. */
export interface PageElement {
  textContent: string | null;
  readonly clientWidth: number;
  readonly classList: { toggle(name: string, isOn: boolean): void };
  addEventListener(type: string, listener: () => void): void;
}

/** A query on the medium. */
export interface PageMediaQuery {
  addEventListener(type: "change", listener: () => void): void;
}

/** The window. */
export interface PageWindow {
  readonly document: {
    readonly documentElement: PageElement;
    getElementById(id: string): PageElement | null;
    createRange(): { selectNodeContents(element: PageElement): void };
  };
  readonly navigator: { readonly clipboard?: { writeText(text: string): Promise<void> } };
  readonly devicePixelRatio: number;
  readonly uPlot: PlotLibrary;
  readonly ResizeObserver: new (changed: () => void) => { observe(element: PageElement): void };
  matchMedia(query: string): PageMediaQuery;
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string };
  getSelection(): { removeAllRanges(): void; addRange(range: unknown): void } | null;
  addEventListener(type: string, listener: () => void): void;
}
