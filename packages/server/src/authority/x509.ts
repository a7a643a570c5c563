// The container inside @peculiar/x509 needs this before any other part of the library is loaded.
import 'reflect-metadata';

export * from '@peculiar/x509';
