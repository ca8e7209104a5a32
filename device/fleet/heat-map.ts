/** When each part of each device's images arrived last: one number a part, in one array for all devices. No IO. */
import { HEAT_CELLS, type HeatRow } from "./fleet-outcome.ts";

/** Takes a note of every block. */
export class HeatMap {
  /** Whole milliseconds since the fleet began, and one more; 0: nothing arrived. */
  private readonly cells: Uint32Array;

  private readonly beganAtMs: number;

  /** Devices have places 0 to `devices` - 1; the fleet began at `beganAtMs`, in monotonic milliseconds. */
  constructor(devices: number, beganAtMs: number) {
    this.beganAtMs = beganAtMs;
    this.cells = new Uint32Array(devices * HEAT_CELLS);
  }

  /** Notes that a block, of a file of `blockCount`, arrived now. */
  note(place: number, blockId: number, blockCount: number, nowMs: number): void {
    this.cells[place * HEAT_CELLS + Math.floor((blockId * HEAT_CELLS) / blockCount)] = nowMs - this.beganAtMs + 1;
  }

  /**
   * The row of a device that began `startedMs` after the fleet. A file of fewer blocks than there are cells has a cell
   * for every block and others that stay empty.
   */
  rowOf(place: number, thing: string, startedMs: number): HeatRow {
    const cells = this.cells.subarray(place * HEAT_CELLS, (place + 1) * HEAT_CELLS);
    const cellsMs = Array.from(cells, (cell) => (cell === 0 ? null : Math.max(0, cell - 1 - Math.floor(startedMs))));
    return { thing, cellsMs };
  }
}
