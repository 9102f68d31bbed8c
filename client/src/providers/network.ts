/** Which network an endpoint lies in, as far as its address says: machines of one network fail, and belong, together. */

/**
 * IPv4 addresses by their /24, IPv6 addresses by their /48, names by themselves. Nothing for this machine: what runs on it is a trial.
 * Names are not resolved: browsers cannot, and who wants to hide that two names are one machine can do so anyway.
 */
export function networkOf(endpoint: string): string | undefined {
  const host = hostOf(endpoint);
  if (host === undefined || host === "localhost" || host.endsWith(".localhost")) return undefined;
  if (host.startsWith("[")) return networkOfIpv6(host.slice(1, -1));
  return isIpv4(host) ? networkOfIpv4(host) : host;
}

/** Lower case, addresses in their one canonical form. */
function hostOf(endpoint: string): string | undefined {
  try {
    const host = new URL(endpoint).hostname.replace(/\.$/, "");
    return host === "" ? undefined : host;
  } catch {
    return undefined;
  }
}

function isIpv4(host: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

function networkOfIpv4(address: string): string | undefined {
  if (address.startsWith("127.")) return undefined;
  return `${address.split(".").slice(0, 3).join(".")}.0/24`;
}

function networkOfIpv6(address: string): string | undefined {
  const [head = "", tail] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const words = [...before, ...new Array<string>(8 - before.length - after.length).fill("0"), ...after].map((word) =>
    Number.parseInt(word, 16),
  );
  if (words.slice(0, 7).every((word) => word === 0) && words[7] === 1) return undefined;
  // ::ffff:a.b.c.d is an IPv4 address.
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) {
    const [high = 0, low = 0] = words.slice(6);
    return networkOfIpv4([high >> 8, high & 0xff, low >> 8, low & 0xff].join("."));
  }
  return `${words
    .slice(0, 3)
    .map((word) => word.toString(16))
    .join(":")}::/48`;
}
