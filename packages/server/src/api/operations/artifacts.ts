import { artifactQuery, artifactView, byDigest, uploadQuery } from '../forms/artifacts.ts';
import { nothing } from '../forms/basics.ts';
import { pageOf } from '../forms/pages.ts';
import type { Operation } from './operation.ts';

const tag = 'artifacts';

export const artifactOperations = {
  uploadArtifact: {
    method: 'PUT',
    path: '/artifacts',
    permission: 'artifacts.upload',
    tag,
    summary: 'Upload a file: the raw bytes as the body',
    query: uploadQuery,
    takes: 'application/octet-stream',
    status: 201,
    answer: artifactView,
  },
  listArtifacts: {
    method: 'GET',
    path: '/artifacts',
    permission: 'artifacts.read',
    tag,
    summary: 'Stored artifacts, newest first',
    query: artifactQuery,
    answer: pageOf(artifactView),
  },
  getArtifact: {
    method: 'GET',
    path: '/artifacts/:digest',
    permission: 'artifacts.read',
    tag,
    summary: 'One artifact',
    params: byDigest,
    answer: artifactView,
  },
  removeArtifact: {
    method: 'DELETE',
    path: '/artifacts/:digest',
    permission: 'artifacts.remove',
    tag,
    summary: 'Remove an artifact',
    params: byDigest,
    status: 204,
    answer: nothing,
  },
} as const satisfies Readonly<Record<string, Operation>>;
