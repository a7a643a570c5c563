/**
 * Who a turn belongs to. What concerns one owner happens one after the other, in its lane, and never waits for another
 * owner; what one owner's turn asks of another owner is an errand.
 */
export type Owner = `device/${string}` | `rollout/${string}` | `server/${string}`;

/** The lane of a device; `id` is its identity as text (P 2.7). */
export function deviceOwner(id: string): Owner {
  return `device/${id}`;
}

/** The id of the device that this owner is. Throws TypeError for an owner that is not a device. */
export function deviceOfOwner(owner: string): string {
  const [kind, id] = owner.split('/');
  if (kind !== 'device' || id === undefined) throw new TypeError(`${owner} is not a device`);
  return id;
}
