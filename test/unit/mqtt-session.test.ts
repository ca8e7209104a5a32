/** A connection that comes back by itself, until it is closed. */
import { expect, it } from "vitest";
import type { MqttConnection, MqttConnectionEvents } from "../../shared/mqtt-port.ts";
import { MqttSession } from "../../shared/mqtt-session.ts";
import { seededRandom } from "../../shared/random.ts";
import { createControlClock } from "../support/control-clock.ts";

it("makes no other once it was closed by who was told of the loss", async () => {
  const control = createControlClock(0);
  let timers = 0;
  const setTimer: typeof control.setTimer = (delayMs, callback) => {
    timers++;
    return control.setTimer(delayMs, callback);
  };
  let opened: MqttConnectionEvents | undefined;
  const session: MqttSession = new MqttSession({
    open: async ({ events }) => {
      opened = events;
      return { close: async () => {} } as MqttConnection;
    },
    url: new URL("mqtt://127.0.0.1"),
    clientId: "t",
    topicFilters: [],
    timeoutMs: 1000,
    keepAliveSeconds: 60,
    clock: { ...control, setTimer },
    random: seededRandom(1),
    events: {
      connected: () => {},
      disconnected: () => void session.close(),
      attemptFailed: () => {},
      messageArrived: () => {},
      drained: () => {},
    },
  });
  await session.start();
  opened?.lost("the broker closed the connection");
  expect(timers).toBe(0);
});
