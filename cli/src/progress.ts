/** A progress bar on a terminal; on anything else, silence. One line, redrawn at most ten times a second. */
import { formatBytes } from "./output.ts";

const REDRAW_MS = 100;
const BAR_WIDTH = 30;

export interface ProgressBar {
  update(doneBytes: number, totalBytes: number, stage: string): void;
  /** Removes the line. */
  end(): void;
}

const SILENT: ProgressBar = { update: () => undefined, end: () => undefined };

export function createProgressBar(stream: NodeJS.WriteStream, enabled: boolean, now: () => number = Date.now): ProgressBar {
  if (!enabled || !stream.isTTY) return SILENT;
  const startedAt = now();
  let drawnAt = Number.NEGATIVE_INFINITY;
  return {
    update: (doneBytes, totalBytes, stage) => {
      const time = now();
      if (time - drawnAt < REDRAW_MS && doneBytes < totalBytes) return;
      drawnAt = time;
      const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
      const filled = Math.round(share * BAR_WIDTH);
      const rate = doneBytes / Math.max(0.001, (time - startedAt) / 1000);
      const bar = `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)}`;
      const percent = (share * 100).toFixed(0).padStart(3);
      stream.write(
        `\r\x1b[K${stage.padEnd(9)} ${bar} ${percent} %  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}  ${formatBytes(rate)}/s`,
      );
    },
    end: () => {
      stream.write("\r\x1b[K");
    },
  };
}
