/** TypeError unless JSON gives the same value back: no `undefined`, no bytes, no bigint, no NaN. */
export function checkPlain(value: unknown, path = 'state'): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${path} is ${value}, which JSON does not carry`);
      return;
    case 'object':
      if (value === null) return;
      if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) {
        throw new TypeError(`${path} is not a plain object`);
      }
      for (const [name, member] of Object.entries(value)) checkPlain(member, `${path}.${name}`);
      return;
    default:
      throw new TypeError(`${path} is of type ${typeof value}, which JSON does not carry`);
  }
}
