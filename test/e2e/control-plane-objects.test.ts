import { afterEach, describe, expect, it } from "vitest";
import { expectError } from "../support/control-errors.ts";
import { type StartedControlPlane, type StartOptions, startControlPlane } from "../support/control-plane.ts";
import { createBody, fileOf, send } from "../support/control-request.ts";

let plane: StartedControlPlane;
afterEach(() => plane.close());

async function start(options: StartOptions = {}): Promise<void> {
  plane = await startControlPlane(options);
}

const create = (overrides = {}) => send(plane, "POST", "/streams/s", createBody(overrides));

describe("objects that cannot be resolved", () => {
  it.each([
    ["NotFound", "head", "ResourceNotFoundException"],
    ["NotFound", "read", "ResourceNotFoundException"],
    ["AccessDenied", "head", "UnauthorizedException"],
    ["AccessDenied", "read", "UnauthorizedException"],
    ["Unavailable", "head", "ServiceUnavailableException"],
    ["Unavailable", "read", "ServiceUnavailableException"],
    ["TooLarge", "read", "LimitExceededException"],
    ["Changed", "read", "ServiceUnavailableException"],
  ] as const)("%s at %s is answered, and nothing is created", async (failure, at, name) => {
    await start();
    plane.store.failWith(failure, at);
    expectError(await create(), name, /^file 0.*firmware\/a\.bin: \w+ injected$/);
    expect(await plane.registry.find("s")).toBeUndefined();
    plane.store.heal();
    expect((await create()).body).toMatchObject({ streamVersion: 0 });
  });

  it("names the file among several", async () => {
    await start();
    const files = [fileOf(1), fileOf(2), fileOf(7, "gone.bin"), fileOf(8, "gone too.bin")];
    expectError(await create({ files }), "ResourceNotFoundException", "file 7: firmware/gone.bin does not exist");
  });

  it("says when a store keeps no versions", async () => {
    await start();
    const files = [{ fileId: 0, s3Location: { bucket: "firmware", key: "a.bin", version: "v9" } }];
    const message = "file 0: firmware/a.bin: the store keeps no version v9";
    expectError(await create({ files }), "ResourceNotFoundException", message);
  });

  it("tries an object once more that was replaced while it was looked at", async () => {
    await start();
    let reads = 0;
    plane.store.beforeAnswer = (call) => {
      if (call === "read" && ++reads === 1) plane.store.put("firmware", "a.bin", Uint8Array.of(9, 9));
    };
    expect((await create()).status).toBe(200);
    expect(await plane.registry.find("s")).toMatchObject({ record: { files: [{ sizeBytes: 2 }] } });
    expect(plane.store.calls).toEqual([
      "head firmware/a.bin",
      "read firmware/a.bin",
      "head firmware/a.bin",
      "read firmware/a.bin",
    ]);
  });

  it("has at most four calls to the store under way", async () => {
    await start();
    let underWay = 0;
    let most = 0;
    plane.store.beforeAnswer = async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
    };
    await create({ files: Array.from({ length: 20 }, (_, index) => fileOf(index)) });
    expect(most).toBe(4);
  });
});

describe("an object that was read before", () => {
  it("is looked up and not read for a further stream, and recorded alike", async () => {
    await start();
    expect((await create()).status).toBe(200);
    expect((await send(plane, "POST", "/streams/s2", createBody())).status).toBe(200);
    expect(plane.store.calls).toEqual(["head firmware/a.bin", "read firmware/a.bin", "head firmware/a.bin"]);
    const [first, second] = [await plane.registry.find("s"), await plane.registry.find("s2")];
    expect(first).toMatchObject({ record: { files: [{ fileId: 0 }] } });
    expect(second).toMatchObject({ record: { files: first?.state === "live" ? first.record.files : [] } });
  });

  it("is read once it is another one, and not again when it is put back", async () => {
    await start();
    await create();
    const other = Uint8Array.of(1, 2, 3);
    const files = async (): Promise<unknown> => {
      const entry = await plane.registry.find("s");
      return entry?.state === "live" ? entry.record.files : undefined;
    };
    const before = await files();
    plane.store.put("firmware", "b.bin", other);
    await send(plane, "PUT", "/streams/s", { files: [fileOf(0, "b.bin")] });
    expect(await files()).toMatchObject([{ sizeBytes: 3 }]);
    await send(plane, "PUT", "/streams/s", { files: [fileOf(0)] });
    expect(await files()).toEqual(before);
    plane.store.put("firmware", "a.bin", other);
    await send(plane, "PUT", "/streams/s", { files: [fileOf(0)] });
    expect(await files()).toMatchObject([{ sizeBytes: 3 }]);
    expect(plane.store.calls.filter((call) => call.startsWith("read"))).toEqual([
      "read firmware/a.bin",
      "read firmware/b.bin",
      "read firmware/a.bin",
    ]);
  });
});
