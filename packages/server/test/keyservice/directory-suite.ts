/** The contract of `IdentityDirectory`: the key service and every fake of it pass these tests. */
import { newIdentity, systemRandom } from '@srup/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Enrolment, IdentityDirectory } from '../../src/peers/directory.ts';

/** A directory with one certified identity in it. */
export interface DirectoryPlace {
  readonly directory: IdentityDirectory;
  readonly enrolment: Enrolment;
  close(): Promise<void>;
}

/** Registers the suite for one kind of directory. */
export function directorySuite(kind: string, makePlace: () => Promise<DirectoryPlace>): void {
  describe(`the identity directory of ${kind}`, () => {
    let place: DirectoryPlace;

    beforeEach(async () => {
      place = await makePlace();
    });

    afterEach(async () => {
      await place.close();
    });

    it('finds a certified identity with its public facts', async () => {
      const { directory, enrolment } = place;
      expect(enrolment.state).toBe('certified');
      expect(await directory.find(enrolment.id)).toEqual(enrolment);
    });

    it('finds nothing for an identity that nobody registered', async () => {
      expect(await place.directory.find(newIdentity(systemRandom))).toBeUndefined();
    });

    it('revokes an identity for good, and still finds it', async () => {
      const { directory, enrolment } = place;
      await directory.revoke(enrolment.id);
      expect(await directory.find(enrolment.id)).toEqual({ ...enrolment, state: 'revoked' });
    });

    it('can revoke an identity again', async () => {
      const { directory, enrolment } = place;
      await directory.revoke(enrolment.id);
      await directory.revoke(enrolment.id);
      expect((await directory.find(enrolment.id))?.state).toBe('revoked');
    });

    it('changes nothing when it revokes an identity that nobody registered', async () => {
      const { directory, enrolment } = place;
      const unknown = newIdentity(systemRandom);
      await directory.revoke(unknown);
      expect(await directory.find(unknown)).toBeUndefined();
      expect((await directory.find(enrolment.id))?.state).toBe('certified');
    });
  });
}
