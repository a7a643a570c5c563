/** A library that makes certificates and requests in another way than we do: also odd ones. */
// Its container needs this before any other part of it is loaded.
import 'reflect-metadata';

export * from '@peculiar/x509';
