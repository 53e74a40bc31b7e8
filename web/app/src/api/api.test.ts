import { expect, test } from 'vitest';
import { actionText, conditionText } from './automation';
import { tableRef } from './tables';
import { aliasOf, csvHeader } from './watchlists';

test('the header of a CSV text', () => {
  expect(csvHeader('\uFEFFHost,Owner\r\nFS01,ada')).toEqual(['Host', 'Owner']);
  expect(csvHeader('"User, name","say ""hi""",Last\n')).toEqual(['User, name', 'say "hi"', 'Last']);
  expect(csvHeader('')).toEqual([]);
});

test('aliases', () => {
  expect(aliasOf('People who left!')).toBe('People-who-left');
  expect(aliasOf('--- ')).toBe('');
});

test('a table’s name as a query writes it', () => {
  expect(tableRef('Demo_CL')).toBe('Demo_CL');
  expect(tableRef("odd name's")).toBe("['odd name\\'s']");
});

test('automation rules in words', () => {
  const rule = (id: string) => (id === 'r1' ? 'Canarytoken triggered' : id);
  expect(conditionText({ conditionType: 'Property', conditionProperties: { propertyName: 'IncidentRelatedAnalyticRuleIds', operator: 'Equals', propertyValues: ['/x/alertRules/r1'] } }, rule)).toBe('Analytics rule equals Canarytoken triggered');
  expect(conditionText({ conditionType: 'PropertyChanged', conditionProperties: { propertyName: 'IncidentStatus', changeType: 'ChangedTo', operator: 'Equals', propertyValues: ['Closed'] } })).toBe('Status changed (ChangedTo Closed)');
  expect(actionText({ order: 1, actionType: 'ModifyProperties', actionConfiguration: { status: 'Closed', classification: 'FalsePositive', labels: [{ labelName: 'a' }] } })).toBe('set the status to Closed (FalsePositive), tag a');
  expect(actionText({ order: 1, actionType: 'RunPlaybook', actionConfiguration: { logicAppResourceId: '/s/x/workflows/Block' } })).toBe('run the playbook Block');
  expect(actionText({ order: 1, actionType: 'ModifyProperties', actionConfiguration: {} })).toBe('change nothing');
});
