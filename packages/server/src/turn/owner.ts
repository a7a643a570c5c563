/**
 * What a turn belongs to. The turns of one owner run one after another, in its lane. A turn never waits for another
 * owner: it asks another owner by an errand.
 */
export type Owner = `device/${string}` | `rollout/${string}` | `server/${string}`;

/**
 * The owner of what concerns a device. `id`: its identity as text (P 2.7).
 *
 * @example
 * deviceOwner('27ab54d670b64be2'); // 'device/27ab54d670b64be2'
 */
export function deviceOwner(id: string): Owner {
  return `device/${id}`;
}

/**
 * The id of the device of an owner that `deviceOwner` made. Throws TypeError for an owner that is not a device.
 *
 * @example
 * deviceOfOwner('device/27ab54d670b64be2'); // '27ab54d670b64be2'
 */
export function deviceOfOwner(owner: string): string {
  const [kind, id] = owner.split('/');
  if (kind !== 'device' || id === undefined) throw new TypeError(`${owner} is not a device`);
  return id;
}
