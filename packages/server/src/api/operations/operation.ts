import type { z } from 'zod';
import type { View } from '../forms/basics.ts';
import type { PermissionName } from '../permissions.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** One operation of the HTTP API, as data: the route, its description and the client's types are made from it. */
export interface Operation {
  readonly method: Method;
  /** Below `/api/v1`, or below the root of the server when `isAtRoot`. Parameters are written as `:id`. */
  readonly path: `/${string}`;
  readonly isAtRoot?: true;
  /** `open`: everybody may call it, without a token. */
  readonly permission: PermissionName | 'open';
  /** Requests a minute of one address, when the limit is stricter than that of the whole API. */
  readonly mostAMinute?: number;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Media type of a body that is not JSON; the handler gets it as a stream. */
  readonly takes?: string;
  /** Status of a success; 200 by default. */
  readonly status?: number;
  /** Absent for an answer that is not JSON. */
  readonly answer?: z.ZodType;
  /** Media type of an answer that is not JSON. */
  readonly gives?: string;
  /** The form of each event, when the answer is a stream of them. */
  readonly events?: z.ZodType;
  /** Further answers of the same operation, by status. */
  readonly others?: Readonly<Record<number, z.ZodType>>;
  /** Left out of the OpenAPI description. */
  readonly isHidden?: true;
}

type Output<Form> = Form extends z.ZodType ? z.output<Form> : undefined;

export type ParamsOf<Of extends Operation> = Output<Of['params']>;
export type QueryOf<Of extends Operation> = Output<Of['query']>;
/** The body as a handler gets it: checked, with defaults filled in. */
export type BodyOf<Of extends Operation> = Output<Of['body']>;
/** The body as a client sends it. */
export type RequestBodyOf<Of extends Operation> = Of['body'] extends z.ZodType
  ? View<z.input<Of['body']>>
  : undefined;
export type AnswerOf<Of extends Operation> = Of['answer'] extends z.ZodType
  ? View<z.output<Of['answer']>>
  : undefined;
