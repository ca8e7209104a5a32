/** A receiver process: measures what it is asked to, one thing after another, and ends with the benchmark. */
import { answerQuestions, endWithParent } from "../harness/channel.ts";
import type { Measurement } from "../harness/measurement.ts";
import { measureAgent } from "./agent-measurement.ts";
import { measureDeviceSide } from "./device-side.ts";
import { measureFleet } from "./fleet-measurement.ts";
import { StalledDevices } from "./stalled-devices.ts";
import type { ReceiverTask } from "./tasks.ts";
import { measureWindow } from "./window-devices.ts";

const stalledDevices = new StalledDevices();

endWithParent();
answerQuestions<ReceiverTask, readonly Measurement[]>(async (task) => {
  switch (task.kind) {
    case "window":
      return [await measureWindow(task)];
    case "fleet":
      return measureFleet(task);
    case "agent":
      return [await measureAgent(task)];
    case "device-side":
      return [await measureDeviceSide(task)];
    case "stall":
      await stalledDevices.add(task);
      return [];
    case "freeze":
      stalledDevices.freeze();
      return [];
  }
});
