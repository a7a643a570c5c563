/** What clients rely on in an OpenAPI description, as lists of texts that can be compared. */

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface DescribedOperation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses?: Readonly<Record<string, { readonly content?: Content }>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Fields are paths like `rows[].id`; one that is always there, or must be given, ends with `!`. */
export interface OperationShape {
  readonly parameters: readonly string[];
  readonly body: readonly string[];
  /** By status. */
  readonly answers: Readonly<Record<string, readonly string[]>>;
}

/**
 * The shape of each operation, by method and path.
 *
 * @example
 * shapesOf(document)['GET /devices/{id}'].answers['200']; // ['id!', 'name', 'type!', ...]
 */
export function shapesOf({ paths, components }: OpenApi): Record<string, OperationShape> {
  const fields = (content: Content | undefined): string[] =>
    Object.values(content ?? {}).flatMap(({ schema }) => [...new Set(fieldsOf(schema, components, ''))]);
  return Object.fromEntries(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { parameters = [], requestBody, responses = {} }]) => [
        `${method.toUpperCase()} ${path}`,
        {
          parameters: parameters.map((one) => `${one.in}:${one.name}${one.required === true ? '!' : ''}`),
          body: fields(requestBody?.content),
          answers: Object.fromEntries(
            Object.entries(responses).map(([status, { content }]) => [status, fields(content)]),
          ),
        },
      ]),
    ),
  );
}

function fieldsOf(schema: Schema | undefined, components: OpenApi['components'], place: string): string[] {
  if (schema === undefined) return [];
  const { $ref, properties = {}, required = [], items, additionalProperties, oneOf, anyOf } = schema;
  if ($ref !== undefined)
    return fieldsOf(components.schemas[$ref.split('/').at(-1) ?? ''], components, place);
  const choices = [...(oneOf ?? []), ...(anyOf ?? [])];
  return [
    ...choices.flatMap((choice) => fieldsOf(choice, components, `${place}${labelOf(choice)}`)),
    ...(items === undefined ? [] : fieldsOf(items, components, `${place}[]`)),
    ...(typeof additionalProperties === 'object'
      ? fieldsOf(additionalProperties, components, `${place}{}`)
      : []),
    ...Object.entries(properties).flatMap(([name, field]) => {
      const below = `${place === '' ? '' : `${place}.`}${name}`;
      return [`${below}${required.includes(name) ? '!' : ''}`, ...fieldsOf(field, components, below)];
    }),
  ];
}

/** A choice by the fields that tell it from the others. */
function labelOf({ properties = {} }: Schema): string {
  const constants = Object.entries(properties).filter(([, field]) => field.const !== undefined);
  return constants.length === 0
    ? ''
    : `(${constants.map(([name, field]) => `${name}=${String(field.const)}`).join(',')})`;
}
