/** Why an upload or a removal was refused. Nothing of a refused upload is kept. */
export class ArtifactError extends Error {
  override readonly name = 'ArtifactError';
  readonly code: 'too-large' | 'empty' | 'digest-mismatch' | 'no-space' | 'in-use';
  constructor(code: ArtifactError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
