"""What botocore's service models say of a request's content.

botocore's own validator looks at names, types, what is required and the lower limits; the upper limits,
patterns and enumerations, which it leaves to the service, are looked at here.
"""
import re

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

# Values that came after Debian's model (botocore 1.29.27); the model of botocore 1.43 has them.
NEWER = {'MinimumProtocolVersion': ['TLSv1.2_2025', 'TLSv1.3_2025']}

SEPARATORS = '\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000'


def service_model(name, version):
    return ServiceModel(Loader().load_service_model(name, 'service-2', version), name)


class Invalid(Exception):
    """`is_of_form` where a name or a type is wrong, and not a value."""

    def __init__(self, message, is_of_form=False):
        super().__init__(message)
        self.is_of_form = is_of_form


def check(value, shape, path=''):
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        text = report.generate_report()
        raise Invalid(text, 'Unknown parameter' in text or 'Invalid type' in text)
    check_limits(value, shape, path)


def check_limits(value, shape, path):
    if shape.type_name == 'structure':
        for name, part in value.items():
            check_limits(part, shape.members[name], f'{path}.{name[0].lower()}{name[1:]}'.lstrip('.'))
        return
    limits = shape.metadata
    if isinstance(value, (list, str, bytes)) and len(value) > limits.get('max', len(value)):
        raise broken(value, path, f'have length less than or equal to {limits["max"]}')
    if shape.type_name == 'list':
        for place, part in enumerate(value, 1):
            check_limits(part, shape.member, f'{path}.{place}.member')
    elif shape.type_name == 'string':
        allowed = limits.get('enum', []) + NEWER.get(shape.name, [])
        if 'enum' in limits and value not in allowed:
            raise broken(value, path, f'satisfy enum value set: [{", ".join(allowed)}]')
        if not re.fullmatch(in_python(limits.get('pattern', '(?s:.*)')), value):
            raise broken(value, path, f'satisfy regular expression pattern: {limits["pattern"]}')
    elif shape.type_name in ('integer', 'long'):
        if isinstance(value, bool):
            raise Invalid(f'Invalid type for {path}: a boolean, not a number', True)
        if value > limits.get('max', value):
            raise broken(value, path, f'have value less than or equal to {limits["max"]}')


def broken(value, path, rule):
    shown = '' if isinstance(value, bytes) else f' {str(value)[:200]!r}'
    return Invalid(f"1 validation error detected: Value{shown} at '{path}' failed to satisfy constraint: "
                   f'Member must {rule}')


def in_python(pattern):
    """Patterns are Java's."""
    return pattern.replace(r'\p{L}', r'\w').replace(r'\p{N}', r'\w').replace(r'\p{Z}', SEPARATORS)


def from_xml(element, shape):
    """What an element says in the model's terms; what the model does not know is passed over.

    Raises ValueError.
    """
    if shape.type_name == 'structure':
        return structure_from_xml(element, shape)
    if shape.type_name == 'list':
        return list_from_xml(element, shape)
    if len(element):
        raise ValueError(f'{local_name(element)} has elements inside')
    text = element.text or ''
    if shape.type_name == 'boolean':
        if text not in ('true', 'false'):
            raise ValueError(f'{local_name(element)} is no boolean: {text}')
        return text == 'true'
    if shape.type_name in ('integer', 'long'):
        if not re.fullmatch('-?[0-9]{1,18}', text):
            raise ValueError(f'{local_name(element)} is no number: {text}')
        return int(text)
    return text


def structure_from_xml(element, shape):
    if (element.text or '').strip() or any((part.tail or '').strip() for part in element):
        raise ValueError(f'{local_name(element)} has text between its elements')
    space = element.tag.rpartition('}')[0]
    names = {f'{space}}}{member.serialization.get("name", name)}': name
             for name, member in shape.members.items()}
    found = {}
    for part in element:
        name = names.get(part.tag)
        if name in found:
            raise ValueError(f'{name} is there twice')
        if name is not None:
            found[name] = from_xml(part, shape.members[name])
    return found


def list_from_xml(element, shape):
    wanted = shape.member.serialization.get('name', 'member')
    if len(element) == 0:
        # AWS' Ruby SDK sent such ones, and this is what it was answered (aws-sdk-ruby 1067 and 1954).
        raise EmptyList('Unexpected list element termination')
    for part in element:
        if local_name(part) != wanted:
            raise ValueError(f'{local_name(part)} in a list of {wanted}')
    return [from_xml(part, shape.member) for part in element]


class EmptyList(ValueError):
    pass


def local_name(element):
    return element.tag.rpartition('}')[2]
