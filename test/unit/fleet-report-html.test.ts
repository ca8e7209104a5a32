/** The report's page as text: hostile names, its size, and that it asks nobody for anything. */
import { describe, expect, it } from "vitest";
import { buildReport, type FleetReport } from "../../device/fleet/fleet-report.ts";
import { renderReportHtml } from "../../device/fleet/report/report-html.ts";
import { makeFixture } from "../support/fleet-report-fixture.ts";

const hostile = `</script><img src=x onerror="document.title='broken'">'&\u202e`;

function reportOf(...[options]: Parameters<typeof makeFixture>): FleetReport {
  const { plan, outcomes, facts } = makeFixture(options);
  return buildReport(plan, outcomes, facts);
}

/** A report in which every text that comes from elsewhere is hostile. */
function hostileReport(): FleetReport {
  const report = reportOf({ seed: 3, devices: 40, failing: 0.3, links: [{ name: "lan", share: 1 }] });
  return {
    ...report,
    command: hostile,
    limits: [hostile],
    versions: { [hostile]: hostile },
    machine: { startedAt: hostile, cpus: hostile, memoryGibibytes: 1, system: hostile },
    plan: { ...report.plan, streamId: hostile, links: [{ name: hostile, share: 1 }] },
    faults: { [hostile]: 3 },
    failures: [{ code: hostile, count: 2, message: hostile, things: [hostile] }],
    heat: report.heat.map((row) => ({ ...row, thing: hostile })),
    perDevice: report.perDevice.map((device, index) => ({
      ...device,
      thing: hostile,
      link: index % 2 === 0 ? hostile : "lan",
      client: index % 2 === 0 ? hostile : "otastream",
    })),
  };
}

describe("the page", () => {
  it("escapes every text", () => {
    const page = renderReportHtml(hostileReport());
    expect(page.includes("<img")).toBe(false);
    expect(page.includes("\u202e")).toBe(false);
    expect(page.match(/<\/script>/g)).toHaveLength(3);
    expect(page.includes("&lt;/script&gt;&lt;img src=x onerror=&quot;")).toBe(true);
  });

  it("names no address, and forbids all but its own script and style", () => {
    const page = renderReportHtml(reportOf({ seed: 4, devices: 20 }));
    const addresses = page.matchAll(/\b(?:src|href|action|url)\s*[=(]\s*["']?([^"')\s>]+)/g);
    expect([...addresses].map((match) => match[1])).toEqual(["data:,"]);
    expect(page.includes("@import")).toBe(false);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1]?.replaceAll("&#39;", "'");
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[^ ;]+' 'sha256-[^ ;]+'; style-src 'sha256-[^ ;]+'; img-src data:;/,
    );
  });

  it("stays below 1 MB for 10,000 devices and long names", () => {
    const links = [
      { name: "lte-m", share: 1 },
      { name: "satellite", share: 1 },
    ];
    const thingPrefix = "x".repeat(120);
    const page = renderReportHtml(reportOf({ seed: 5, devices: 10_000, failing: 0.5, links, thingPrefix }));
    expect(Buffer.byteLength(page)).toBeLessThan(1_000_000);
  });

  it("is the same for the same report", () => {
    const render = (): string => renderReportHtml(reportOf({ seed: 6, devices: 30, failing: 0.1 }));
    const first = render();
    expect(render() === first).toBe(true);
  });

  it("says in words what there is none of", () => {
    const { plan, facts } = makeFixture({ seed: 7, devices: 2 });
    const page = renderReportHtml(buildReport(plan, [], facts));
    const body = page.slice(page.indexOf("<main"), page.indexOf("</main>"));
    for (const words of ["No device completed.", "No device received anything.", "No device kept anything."]) {
      expect(body.includes(words)).toBe(true);
    }
    expect(body.match(/NaN|Infinity|undefined|null/g)).toBeNull();
  });
});
