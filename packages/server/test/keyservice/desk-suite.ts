/** The contract of what operators do at the key service: the real one and every fake of it pass these tests. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeyService } from '../../src/keyservice/service.ts';

export type Desk = Pick<KeyService, 'status' | 'setOpen' | 'codes'>;

export interface DeskPlace {
  readonly desk: Desk;
  close(): Promise<void>;
}

/** Registers the suite for one kind of key service. */
export function deskSuite(kind: string, makePlace: () => Promise<DeskPlace>): void {
  describe(`the desk of ${kind}`, () => {
    let place: DeskPlace;
    let desk: Desk;

    beforeEach(async () => {
      place = await makePlace();
      desk = place.desk;
    });

    afterEach(async () => {
      await place.close();
    });

    it('takes registrations until an operator closes it, and again when he opens it', async () => {
      expect((await desk.status()).active).toBe(true);
      await desk.setOpen(false);
      expect((await desk.status()).active).toBe(false);
      await desk.setOpen(true);
      expect((await desk.status()).active).toBe(true);
    });

    it('says who it is and where the broker is', async () => {
      const { identity, broker } = await desk.status();
      expect(identity).toMatch(/^[1-9a-f][0-9a-f]{0,15}$/);
      expect(new URL(broker).protocol).toMatch(/^mqtts?:$/);
    });

    it('lists the codes that it created, and tells the secret of each once', async () => {
      const by = { kind: 'token', id: '1', name: 'night shift' } as const;
      const first = await desk.codes.create({ uses: 5, type: 'pump', expiresAt: 4_000_000_000_000, by });
      const second = await desk.codes.create({ uses: 1 });
      expect(first.code).toEqual({
        id: expect.any(String) as string,
        createdAt: expect.any(Number) as number,
        usesLeft: 5,
        type: 'pump',
        expiresAt: 4_000_000_000_000,
      });
      const codes = await desk.codes.list();
      expect(codes).toHaveLength(2);
      expect(codes).toEqual(expect.arrayContaining([first.code, second.code]));
      expect(first.secret).not.toBe(second.secret);
      expect(JSON.stringify(codes)).not.toContain(first.secret);
    });

    it('removes a code, once', async () => {
      const { code } = await desk.codes.create({ uses: 1 });
      expect(await desk.codes.remove(code.id)).toBe(true);
      expect(await desk.codes.remove(code.id)).toBe(false);
      expect(await desk.codes.list()).toEqual([]);
    });
  });
}
