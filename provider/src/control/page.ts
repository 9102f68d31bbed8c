/** The status page: plain HTML, no script, nothing from elsewhere. */
import { formatEther } from "ethers";
import type { Report } from "./report.ts";

const REFRESH_SECONDS = 10;

/** For the one inline style that a nonce allows. */
export function contentPolicy(nonce: string): string {
  return `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

export function statusPage(report: Report, nonce: string): string {
  const rows = (entries: readonly (readonly [string, string])[]): string =>
    entries.map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join("");
  const section = (title: string, entries: readonly (readonly [string, string])[]): string =>
    `<section><h2>${escapeHtml(title)}</h2><table>${rows(entries)}</table></section>`;
  const alerts =
    report.alerts.length === 0
      ? "<p>No alert is open.</p>"
      : `<ul>${report.alerts.map(({ since, message }) => `<li><time>${new Date(since).toISOString()}</time> ${escapeHtml(message)}</li>`).join("")}</ul>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<meta name="viewport" content="width=device-width"><title>Provider ${report.providerId}</title>
<style nonce="${nonce}">body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h2{font-size:1.1rem;margin:1.5rem 0 .3rem}table{border-collapse:collapse}th{text-align:left;font-weight:400;color:#555;padding-right:2rem}
td{font-variant-numeric:tabular-nums}li{color:#a00}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th{color:#aaa}li{color:#f88}}</style>
</head><body><h1>Provider ${report.providerId}</h1>
<section><h2>Alerts</h2>${alerts}</section>
${section("Standing", standing(report))}
${section("Income", income(report))}
${section("Proofs and penalties", proofs(report))}
${section("Space", space(report))}
</body></html>
`;
}

type Entries = readonly (readonly [string, string])[];

function standing(report: Report): Entries {
  const { since, moved, remaining } = report.exit;
  return [
    ["address", report.endpoint],
    ["owner", report.owner],
    ["operator", `${report.operator}, ${formatEther(report.coinWei)} coin for gas`],
    ["takes new slots", report.hindrances.length === 0 ? "yes" : `no: ${report.hindrances.join(", ")}`],
    ["in business", report.evictedAtPeriod === 0 ? "yes" : `evicted in period ${report.evictedAtPeriod}`],
    ...(since === null ? [] : ([["leaves", `since ${since}: ${moved} slots moved, ${remaining ?? "?"} left`]] as const)),
  ];
}

function income(report: Report): Entries {
  return [
    ["earned so far", tokens(report.earnedWei)],
    ["to be claimed by the owner", tokens(report.creditWei)],
    ["price of a GiB per period", tokens(report.pricePerGibPeriodWei)],
    ["price of a GiB that is read", report.readPricePerGibWei === 0n ? "free" : tokens(report.readPricePerGibWei)],
    ["earned by reads", `${tokens(report.readsEarnedWei)}, and ${tokens(report.vouchersOpenWei)} in vouchers not redeemed yet`],
    ["to be claimed by the owner for reads", tokens(report.readsCreditWei)],
    ["collateral", `${tokens(report.collateralWei)}, of which ${tokens(report.lockedWei)} locked by slots`],
  ];
}

function proofs(report: Report): Entries {
  return [
    ["running period", String(report.period)],
    ["newest proven period", String(report.lastProvenPeriod)],
    ["periods proven", String(report.provenPeriods)],
    ["periods missed", `${report.missedPeriods}, of which ${report.incidentMisses} in the running incident`],
    ["slots lost", String(report.lostSlots)],
    ["slashed so far", tokens(report.slashedWei)],
    ["damaged slots", `${report.damage.damaged.length}${report.damage.isHeldBack ? ", which wait for you" : ""}`],
  ];
}

function space(report: Report): Entries {
  const percent = ((report.usedBytes * 100) / report.capacityBytes).toFixed(1);
  return [
    ["slots", String(report.slots)],
    ["used", `${mebibytes(report.usedBytes)} of ${mebibytes(report.capacityBytes)} (${percent} %)`],
    ["taken in since the start", mebibytes(report.uploadedBytes)],
    ["served since the start", mebibytes(report.servedBytes)],
  ];
}

function tokens(wei: bigint): string {
  return `${formatEther(wei)} PPIO`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
